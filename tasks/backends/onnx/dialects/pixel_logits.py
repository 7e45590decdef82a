"""Dialect pixel-logits: pixel_values (B, 3, H, W) -> logits (B, labels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import TaskInput, TaskOutput
from ...classify import classification, probabilities
from ...image.fitting import Fitted
from ..adapter import has_rank
from ..graph import Shapes
from ..images import ImageAdapter


class PixelLogits(ImageAdapter):
    """The labels of a graph's logits."""

    dialect: ClassVar[str] = "pixel-logits"
    tasks: ClassVar[tuple[str, ...]] = ("image-classification",)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Detectors give boxes besides, segmentation logits of four axes."""
        return (
            set(inputs) == {"pixel_values"}
            and "logits" in outputs
            and "pred_boxes" not in outputs
            and has_rank(outputs["logits"], 2)
        )

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput]:
        """Softmax, or what the model's problem_type asks for."""
        logits = self.graph.read("logits", {"pixel_values": values})  # (B, labels)
        scores = probabilities(logits, self.model.config.get("problem_type"))
        labels = self.model.labels(scores.shape[-1])
        return [
            classification(self.task, row, s, labels) for row, s in zip(inputs, scores, strict=True)
        ]
