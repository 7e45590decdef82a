from __future__ import annotations

from typing import Any, ClassVar

from ...text.cut import Truncation, cut_to
from ..generation.generate import positions
from ..generation.writer import GenerationBackend

#: Tokenizers that state no limit say this or more.
_NO_LIMIT = 10**9


class Text2TextGeneration(GenerationBackend):
    """What an AutoModelForSeq2SeqLM makes of a text, or a chat model that is asked to."""

    auto_class = "AutoModelForSeq2SeqLM"
    #: Whether chat models can do the task: what is wanted can be said in words.
    chat_models: ClassVar[bool] = True

    def load(self) -> None:
        """Load the model; its config tells whether it has an encoder."""
        config = self.read_config()
        if self.chat_models and not config.is_encoder_decoder:
            self.auto_class = "AutoModelForCausalLM"
        super().load()

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError when a model without encoder cannot be asked."""
        super().load_processor()
        if self.asks and not self.tokenizer.chat_template:
            raise ValueError(f"{self.source} has neither an encoder nor a chat template")

    @property
    def asks(self) -> bool:
        """Whether the model is a chat model."""
        return not self.model.config.is_encoder_decoder

    def settings(self, task: str) -> dict[str, Any]:
        """What the model's config says of a task: T5's says how a text must begin for it."""
        given = getattr(self.model.config, "task_specific_params", None) or {}
        return dict(given.get(task) or {})

    def prefix(self, row: Any) -> str:  # noqa: ARG002 # here the text itself says what is wanted
        """What tells the model the task."""
        return ""

    def encode(self, row: Any) -> list[int]:
        """The text's tokens behind the prefix, cut if that is wished for."""
        limit = self._limit()
        if not row.truncate or not limit:
            return self._whole(row)
        if self.asks:
            return self._question(row, limit)
        self.tokenizer.truncation_side = row.truncation_direction
        text = self.prefix(row) + row.texts[0]
        cut: list[int] = self.tokenizer(text, truncation=True, max_length=limit)["input_ids"]
        return cut

    def cut(self, row: Any, tokens: list[int]) -> Truncation | None:
        """How many tokens there were before."""
        return cut_to(len(tokens), len(self._whole(row))) if row.truncate else None

    def _whole(self, row: Any) -> list[int]:
        """The text's tokens behind the prefix, uncut."""
        if self.asks:
            return self._message(row, row.texts[0])
        tokens: list[int] = self.tokenizer(self.prefix(row) + row.texts[0])["input_ids"]
        return tokens

    def _question(self, row: Any, limit: int) -> list[int]:
        """The text as a chat's message, cut so that there is room for the answer."""
        tokens = self._whole(row)
        over = len(tokens) - (limit - min(row.max_new_tokens, limit // 2))
        if over <= 0:
            return tokens
        own = self.tokenizer(row.texts[0], add_special_tokens=False)["input_ids"]
        kept = own[over:] if row.truncation_direction == "left" else own[: max(0, len(own) - over)]
        return self._message(row, self.tokenizer.decode(kept))

    def _message(self, row: Any, text: str) -> list[int]:
        message = {"role": "user", "content": self.prefix(row) + text}
        tokens: list[int] = self.tokenizer.apply_chat_template(
            [message], add_generation_prompt=True, return_dict=False
        )
        return tokens

    def _limit(self) -> int | None:
        """Where a text is cut: at the model's positions, or as the tokenizer advises."""
        limits = (positions(self.model, "encoder"), self.tokenizer.model_max_length)
        known = [int(limit) for limit in limits if limit and limit < _NO_LIMIT]
        return min(known, default=None)
