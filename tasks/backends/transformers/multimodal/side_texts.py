from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ...text.cut import Truncation, cut_to


class SideTexts:
    """A tokenizer of texts that go beside images: questions, labels. Threads may share it.

    Texts are cut at `most` tokens. `padding` is transformers' word for how far they are filled up.
    """

    def __init__(self, tokenizer: Any, most: int, *, padding: bool | str = True) -> None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, most)
        self._tokenizer, self._padding = tokenizer, padding
        self._cutting = threading.Lock()  # how to cut is the tokenizer's own state

    def __call__(self, texts: Sequence[str]) -> tuple[dict[str, Any], dict[str, Truncation | None]]:
        """Tensors (texts, T) by name, and of each text what was cut."""
        most = self._tokenizer.model_max_length
        with self._cutting:
            whole = self._tokenizer(list(texts))["input_ids"]
            encoded = self._tokenizer(
                list(texts), padding=self._padding, truncation=True, return_tensors="pt"
            )
        lost = {text: cut_to(most, len(ids)) for text, ids in zip(texts, whole, strict=True)}
        return dict(encoded), lost
