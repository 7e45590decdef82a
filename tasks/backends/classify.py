"""From a row's logits to its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import Task, TaskInput, TaskOutput
from ..labels import ClassificationResult


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return total


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each logit as a probability of its own."""
    # exp of a large number would overflow, and warn; beyond 80 it makes no difference.
    scores: NDArray[np.float32] = np.reciprocal(1 + np.exp(-logits.clip(-80, 80)))
    return scores


def probabilities(
    logits: NDArray[np.float32], problem_type: str | None = None
) -> NDArray[np.float32]:
    """Scores, (B, labels), as the model was trained to mean them: `problem_type` of its config."""
    if problem_type == "regression":
        return logits
    if problem_type == "multi_label_classification" or logits.shape[-1] == 1:
        return sigmoid(logits)
    return softmax(logits)


def classification(
    task: Task, row: TaskInput, scores: NDArray[np.float32], labels: Mapping[int, str]
) -> TaskOutput:
    """The row's top_k labels; all where the task has no top_k. scores: (labels,)."""
    top_k: Any = getattr(row, "top_k", None)
    best = np.argsort(-scores, kind="stable")[:top_k]
    found = [
        ClassificationResult(label=labels.get(int(i), str(i)), score=float(scores[i])) for i in best
    ]
    return task.output.model_validate({"results": [found]})
