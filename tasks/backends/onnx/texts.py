"""Texts as graphs take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import OnnxModel

#: What a graph may take of a text, and the encoding's attribute that is it.
_PARTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class Texts:
    """A tokenizer that fits a graph: its length where that is fixed, else what the model allows.

    `to_length` pads every text to the model's length, as its processor does, not to the longest.
    """

    def __init__(self, model: OnnxModel, *, to_length: bool = False) -> None:
        axes = model.graph.inputs["input_ids"]
        fixed = axes[1] if len(axes) == 2 and isinstance(axes[1], int) else None
        length = fixed or model.max_tokens()
        self._tokenizer = model.tokenizer()
        self._tokenizer.enable_truncation(length)
        pad = int(_pad_id(model, self._tokenizer))
        self._tokenizer.enable_padding(
            pad_id=pad,
            pad_token=self._tokenizer.id_to_token(pad) or "[PAD]",
            length=length if fixed or to_length else None,
        )

    def arrays(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """input_ids, attention_mask and token_type_ids, (B, T)."""
        encoded = self._tokenizer.encode_batch(list(texts))
        return {
            name: np.array([getattr(e, part) for e in encoded], dtype=np.int64)
            for name, part in _PARTS.items()
        }


def _pad_id(model: OnnxModel, tokenizer: Any) -> int:
    """The padding token's number: as the tokenizer's settings name it, else as config.json does."""
    token = model.read_json("tokenizer_config.json").get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    number = tokenizer.token_to_id(token) if token else None
    if number is not None:
        return int(number)
    text = model.config.get("text_config") or model.config
    return int(text.get("pad_token_id") or 0)
