from __future__ import annotations

from typing import Any

from .generate import positions
from .writer import Writer

#: Tokenizers that state no limit say this or more.
_NO_LIMIT = 10**9


class Text2TextGeneration(Writer):
    """What an AutoModelForSeq2SeqLM makes of a text."""

    auto_class = "AutoModelForSeq2SeqLM"

    def settings(self, task: str) -> dict[str, Any]:
        """What the model's config says of a task: T5's says how a text must begin for it."""
        given = getattr(self.model.config, "task_specific_params", None) or {}
        return dict(given.get(task) or {})

    def prefix(self, row: Any) -> str:  # noqa: ARG002 # here the text itself says what is wanted
        """What tells the model the task."""
        return ""

    def encode(self, row: Any) -> list[int]:
        """The text's tokens behind the prefix, cut if that is wished for."""
        text, limit = self.prefix(row) + row.texts[0], self._limit()
        if row.truncate and limit:
            cut: list[int] = self.tokenizer(text, truncation=True, max_length=limit)["input_ids"]
            return cut
        tokens: list[int] = self.tokenizer(text)["input_ids"]
        return tokens

    def _limit(self) -> int | None:
        """Where a text is cut: at the model's positions, or as the tokenizer advises."""
        limits = (positions(self.model, "encoder"), self.tokenizer.model_max_length)
        known = [int(limit) for limit in limits if limit and limit < _NO_LIMIT]
        return min(known, default=None)
