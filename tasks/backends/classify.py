"""From a row's logits to its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import TaskInput
from ..vision.image_classification import ClassificationResult, ImageClassificationOutput


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return total


def classification(
    row: TaskInput, logits: NDArray[np.float32], labels: Mapping[int, str]
) -> ImageClassificationOutput:
    """The row's top_k labels. logits: (labels,). One logit alone is a probability by itself."""
    top_k: Any = getattr(row, "top_k", 1)
    scores = softmax(logits) if len(logits) > 1 else 1 / (1 + np.exp(-logits))
    best = np.argsort(-scores, kind="stable")[:top_k]
    return ImageClassificationOutput(
        results=[
            [
                ClassificationResult(label=labels.get(int(i), str(i)), score=float(scores[i]))
                for i in best
            ]
        ]
    )
