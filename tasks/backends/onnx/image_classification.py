"""Dialect pixel-logits: pixel_values (B, 3, H, W) -> logits (B, labels)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..classify import classification, probabilities
from ..vision import Fitted, run_fitted
from .vision import OnnxVisionBackend


class ImageClassification(OnnxVisionBackend):
    """The labels of a graph's logits."""

    def load_processor(self) -> None:
        """Read the preprocessor's settings."""
        self.require({"pixel_values"}, {"logits"})
        self.pixels = self.read_pixels("pixel_values")

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows."""
        return run_fitted(batch, self.pixels, self.max_pixels, self._answer)

    def _answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput]:
        logits = self.forward({"pixel_values": values})["logits"]  # (B, labels)
        scores, labels = probabilities(logits, self.config.get("problem_type")), self.labels()
        return [
            classification(self.task, row, s, labels) for row, s in zip(inputs, scores, strict=True)
        ]
