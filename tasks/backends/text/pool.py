"""From token vectors to text vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base import TaskInput
from ...text.embedding import EmbeddingOutput
from ..base import ModelRefused

#: How token vectors become one, and the flag that means it in older files of sentence-transformers:
#: the first of them, the largest of each number, their mean, their sum over the root of their
#: count, their mean with weights of 1, 2, ..., or the last. Several, joined by +, are concatenated.
POOLINGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}

#: Less than any number of a vector, and still one that float32 can hold.
_LOW = 3e38


def pooling(config: Mapping[str, Any], chosen: str = "") -> str:
    """The pooling that was chosen, else that of a config of sentence-transformers, else the mean.

    Raises ModelRefused for one that is not among POOLINGS.
    """
    told: str | Sequence[str] = config.get("pooling_mode") or [
        name for name, flag in POOLINGS.items() if config.get(flag)
    ]
    chosen = chosen or (told if isinstance(told, str) else "+".join(told)) or "mean"
    if not {*chosen.split("+")} <= POOLINGS.keys():
        raise ModelRefused(f"pooling {chosen!r}: use {', '.join(POOLINGS)}, or several joined by +")
    return chosen


def pooled(
    hidden: Any,  # floats of numpy or of torch: it is the same in both, but for joining
    mask: Any,
    how: str = "mean",
    *,
    skip: int = 0,
    join: Callable[[list[Any], int], Any] = np.concatenate,
) -> Any:
    """One vector a text, padding left out. hidden: (B, T, D), mask: (B, T) -> (B, D), or (B, n D)
    for n ways. The first `skip` tokens of a text do not count.
    """
    places = mask.cumsum(1) * mask  # 1, 2, ... over the real tokens, 0 elsewhere
    last = mask.sum(1)[:, None]
    mask = mask * (places > skip)
    ways = [_pooled(hidden, mask, places, last, name) for name in how.split("+")]
    return ways[0] if len(ways) == 1 else join(ways, 1)


def _pooled(hidden: Any, mask: Any, places: Any, last: Any, how: str) -> Any:
    if how == "max":
        most = (hidden * mask[..., None] + (mask[..., None] - 1) * _LOW).max(1)
        most = getattr(most, "values", most)  # torch answers the places, too
        return most * (mask.sum(1)[:, None] > 0)
    if how == "cls":
        mask = mask * (mask.cumsum(1) == 1)
    elif how == "lasttoken":
        mask = mask * (places == last)
    elif how == "weightedmean":
        mask = mask * places
    total = mask.sum(1)[:, None]
    if how == "mean_sqrt_len_tokens":
        total = total**0.5
    # A text without any token has the vector 0.
    return (hidden * mask[..., None]).sum(1) / (total + (total == 0))


def embeddings(batch: Sequence[TaskInput], vectors: NDArray[np.float32]) -> list[EmbeddingOutput]:
    """An answer a row, of length 1 where the row asks for it. vectors: (B, D)."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [
        EmbeddingOutput.made(
            embeddings=[(vector / length if getattr(row, "normalize", True) else vector).tolist()]
        )
        for row, vector, length in zip(batch, vectors, lengths, strict=True)
    ]
