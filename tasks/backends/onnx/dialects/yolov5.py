"""Dialect yolov5: images (B, 3, H, W), values 0 to 1 -> one output (B, N, 5 + C).

Each of N candidates is a box (centre, width, height in pixels of the graph's image), the
probability that there is an object, and that of each class if there is. Images are letterboxed.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import Task
from ..checks import chances
from ..model import OnnxModel
from ..suppression import Suppression
from ..ultralytics import OBJECTNESS
from ..yolo import Suppressing


class Yolov5(Suppressing):
    """YOLOv5 and YOLOv7: a score is object times class. `iou` and `agnostic` as for yolov8."""

    dialect: ClassVar[str] = OBJECTNESS
    columns: ClassVar[int] = 5
    columns_first: ClassVar[bool] = False

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        iou: float = 0.45,
        agnostic: bool = False,
        max_det: int = 300,
    ) -> None:
        super().__init__(task, model, suppression=Suppression(iou, agnostic, max_det))

    def scores(self, candidates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of both probabilities."""
        both = chances(candidates[:, 4:])
        product: NDArray[np.float32] = both[:, 1:] * both[:, :1]
        return product
