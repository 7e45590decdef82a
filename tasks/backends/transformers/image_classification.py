from __future__ import annotations

from collections.abc import Sequence

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..classify import classification
from .vision import VisionBackend


class ImageClassification(VisionBackend):
    """Softmax over the labels of an AutoModelForImageClassification."""

    default_model = "google/vit-base-patch16-224"
    auto_class = "AutoModelForImageClassification"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows."""
        decoded = self.decoded(batch)
        if not decoded.rows:
            return decoded.answers([])
        tensors = self.tensors(decoded.rows)
        with self.forward():
            logits = self.model(**tensors).logits.float().cpu().numpy()  # (B, labels)
        return decoded.answers(
            [
                classification(row, scores, self.model.config.id2label)
                for row, scores in zip(decoded.inputs, logits, strict=True)
            ]
        )
