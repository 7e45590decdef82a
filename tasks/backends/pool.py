"""From token vectors to text vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import TaskInput
from ..text.embedding import EmbeddingOutput

#: Where sentence-transformers writes how a model pools, within its folder.
POOLING_FILE = "1_Pooling/config.json"

#: How token vectors become one: their mean, the first of them, or the last.
POOLINGS = ("mean", "cls", "lasttoken")

_FLAG = "pooling_mode_"


def pooling(config: Mapping[str, Any], chosen: str = "") -> str:
    """The pooling that was chosen, else the one of a POOLING_FILE, else the mean.

    Raises ValueError for one that is not among POOLINGS.
    """
    if not chosen:
        flags = [name for name, on in config.items() if name.startswith(_FLAG) and on]
        told = [name.removeprefix(_FLAG).partition("_token")[0] for name in flags]
        # Newer files name it; older ones have a flag for each, of which several may be set.
        chosen = config.get("pooling_mode") or "+".join(told) or "mean"
    if chosen not in POOLINGS:
        raise ValueError(f"pooling {chosen!r}: use {', '.join(POOLINGS)}")
    return chosen


def pooled(hidden: Any, mask: Any, how: str = "mean") -> Any:
    """One vector a text, padding left out. hidden: (B, T, D), mask: (B, T) -> (B, D).

    Floats of numpy or of torch: it is the same in both.
    """
    places = mask.cumsum(1) * mask  # 1, 2, ... over the real tokens, 0 elsewhere
    if how == "cls":
        mask = mask * (places == 1)
    elif how == "lasttoken":
        mask = mask * (places == mask.sum(1)[:, None])
    total = mask.sum(1)[:, None]
    # A text without any token has the vector 0.
    return (hidden * mask[..., None]).sum(1) / (total + (total == 0))


def embeddings(batch: Sequence[TaskInput], vectors: NDArray[np.float32]) -> list[EmbeddingOutput]:
    """An answer a row, of length 1 where the row asks for it. vectors: (B, D)."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [
        EmbeddingOutput(
            embeddings=[(vector / length if getattr(row, "normalize", True) else vector).tolist()]
        )
        for row, vector, length in zip(batch, vectors, lengths, strict=True)
    ]
