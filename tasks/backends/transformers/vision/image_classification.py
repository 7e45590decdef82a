from __future__ import annotations

from collections.abc import Sequence

from ....base import TaskInput, TaskOutput
from ...classify import classification, probabilities
from ...sizes import Size
from .base import Tensors, VisionBackend


class ImageClassification(VisionBackend):
    """The labels of an AutoModelForImageClassification."""

    auto_class = "AutoModelForImageClassification"

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # sizes matter to detection only
        tensors: Tensors,
    ) -> list[TaskOutput]:
        """One forward. pixel_values: (B, 3, H, W) -> logits: (B, labels)."""
        with self.forward():
            logits = self.model(**self.to_device(tensors)).logits.float().cpu().numpy()
        config = self.model.config
        scores = probabilities(logits, getattr(config, "problem_type", None))
        return [
            classification(self.task, row, row_scores, config.id2label)
            for row, row_scores in zip(inputs, scores, strict=True)
        ]
