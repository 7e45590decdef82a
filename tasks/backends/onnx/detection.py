"""What the adapters that find objects share: they answer detection, and anonymization with it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..classify import softmax
from ..image.detect import corners, detection
from ..image.fitting import Fitted
from .checks import chances, finite
from .images import ImageAdapter


class Objects(NamedTuple):
    """What was found in a row's image: scores and names (Q,), boxes (Q, 4) in its pixels."""

    scores: NDArray[np.float32]
    names: NDArray[Any]
    boxes: NDArray[np.float32]


class DetectionAdapter(ImageAdapter):
    """Boxes of what a graph finds."""

    tasks: ClassVar[tuple[str, ...]] = ("object-detection",)

    @abstractmethod
    def find(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> Sequence[Objects]:
        """What each row shows, boxes in pixels of the image as sent. values: (B, 3, H, W)."""

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[TaskOutput | RowError]:
        """Each row's objects above its threshold; classes without a name are LABEL_n."""
        answers: list[TaskOutput | RowError] = []
        for row, found in zip(inputs, self.find(inputs, rows, values), strict=True):
            finite(found.boxes, "boxes")
            scores = chances(found.scores)
            labels = self.called(found.names)
            answers.append(detection(self.task, row, scores, found.names, found.boxes, labels))
        return answers

    def called(self, classes: NDArray[Any]) -> dict[int, str]:
        """What classes that were found are called."""
        numbers = np.unique(classes).astype(int).tolist()
        return {number: f"LABEL_{number}" for number in numbers} | self.names()

    def names(self) -> dict[int, str]:
        """What the classes are called."""
        return self.model.labels()


class RelativeBoxes(DetectionAdapter):
    """logits (B, Q, C + 1), the last 'no object', and pred_boxes (B, Q, 4): centre, width and
    height relative to the image.
    """

    def find(
        self,
        inputs: Sequence[TaskInput],  # noqa: ARG002 # thresholds come later
        rows: Sequence[Fitted],
        values: NDArray[np.float32],
    ) -> list[Objects]:
        """One run; the surest class of each query."""
        out = self.graph.run_rows(self.masked(values))
        scores = softmax(finite(out["logits"], "logits"))[..., :-1]
        self.model.labels(scores.shape[-1])  # counts: RT-DETR and its kin have no 'no object'
        boxes = finite(out["pred_boxes"], "pred_boxes")
        best, sure = scores.argmax(axis=-1), scores.max(axis=-1)  # (B, Q)
        return [
            Objects(sure[i], best[i], corners(boxes[i], row.size)) for i, row in enumerate(rows)
        ]
