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


def beside_images(tokenizer: Any, config: Any) -> SideTexts:
    """The texts of a model that has images and texts in one space, filled up as it was trained."""
    text = getattr(config, "text_config", config)
    positions = getattr(text, "max_position_embeddings", 512)
    if _counts_after_padding(text):
        positions -= (text.pad_token_id or 0) + 1
    if is_siglip(config):  # trained on texts padded to 64 tokens
        return SideTexts(tokenizer, 64, padding="max_length")
    return SideTexts(tokenizer, positions)


def is_siglip(config: Any) -> bool:
    """Whether a model scores each pair by itself, as SigLIP does."""
    return "siglip" in config.model_type


def _counts_after_padding(text: Any) -> bool:
    """Whether positions begin after that of padding, as RoBERTa's do."""
    return "roberta" in text.model_type or text.model_type.startswith("altclip")
