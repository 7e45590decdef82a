"""Texts as graphs take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..text.cut import Truncation, cut_to
from .graph import Graph
from .model import OnnxModel

#: What a graph may take of a text, and the encoding's attribute that is it.
_PARTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class Texts:
    """A tokenizer that fits a graph: its length where that is fixed, else what the model allows.

    `to_length` pads every text to the model's length, as its processor does, not to the longest.
    `graph` reads texts where that is not the model's own, `most` tokens of each.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        to_length: bool = False,
        graph: Graph | None = None,
        most: int | None = None,
    ) -> None:
        fixed = fixed_length(graph or model.graph)
        length = self._most = fixed or most or model.max_tokens()
        #: Whether all texts have one length.
        self.fixed = bool(fixed or to_length)
        self._whole = model.tokenizer()
        self._tokenizer = model.tokenizer()
        self._tokenizer.enable_truncation(length)
        pad = pad_id(model, self._tokenizer)
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

    def lost(self, texts: Sequence[str]) -> list[Truncation | None]:
        """What of each text is left out."""
        return [cut_to(self._most, len(e.ids)) for e in self._whole.encode_batch(list(texts))]


def fixed_length(graph: Graph) -> int | None:
    """How many tokens every text must have; None where the graph takes any number."""
    axes = graph.inputs["input_ids"]
    return axes[1] if len(axes) == 2 and isinstance(axes[1], int) else None


def token_id(model: OnnxModel, tokenizer: Tokenizer, name: str) -> int | None:
    """The number of a special token, such as unk_token; None where the folder does not name it."""
    token = model.read_json("tokenizer_config.json").get(name)
    token = token.get("content") if isinstance(token, dict) else token
    return tokenizer.token_to_id(token) if token else None


def pad_id(model: OnnxModel, tokenizer: Tokenizer) -> int:
    """The padding token's number: as the tokenizer's settings name it, else as config.json does."""
    number = token_id(model, tokenizer, "pad_token")
    if number is not None:
        return number
    text = model.config.get("text_config") or model.config
    return int(text.get("pad_token_id") or 0)
