"""From token vectors to text vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import TaskInput
from ..text.embedding import EmbeddingOutput


def mean_pooled(hidden: NDArray[np.float32], mask: NDArray[Any]) -> NDArray[np.float32]:
    """Mean over the real tokens. hidden: (B, T, D), mask: (B, T) -> (B, D)."""
    weights = mask[..., None].astype(np.float32)
    total = (hidden * weights).sum(axis=1)
    vectors: NDArray[np.float32] = total / np.maximum(weights.sum(axis=1), 1e-9)
    return vectors


def embeddings(batch: Sequence[TaskInput], vectors: NDArray[np.float32]) -> list[EmbeddingOutput]:
    """An answer a row, of length 1 where the row asks for it. vectors: (B, D)."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [
        EmbeddingOutput(
            embeddings=[(vector / length if getattr(row, "normalize", True) else vector).tolist()]
        )
        for row, vector, length in zip(batch, vectors, lengths, strict=True)
    ]
