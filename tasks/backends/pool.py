"""From token vectors to text vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import TaskInput
from ..text.embedding import EmbeddingOutput


def embeddings(
    batch: Sequence[TaskInput], hidden: NDArray[np.float32], mask: NDArray[Any]
) -> list[EmbeddingOutput]:
    """Mean over the real tokens. hidden: (B, T, D), mask: (B, T)."""
    weights = mask[..., None].astype(np.float32)
    vectors = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)  # (B, D)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [
        EmbeddingOutput(
            embeddings=[(vector / length if getattr(row, "normalize", True) else vector).tolist()]
        )
        for row, vector, length in zip(batch, vectors, lengths, strict=True)
    ]
