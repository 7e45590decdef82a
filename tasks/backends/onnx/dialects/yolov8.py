"""Dialect yolov8: images (B, 3, H, W), values 0 to 1 -> one output (B, 4 + C, N), or its transpose.

Each of N candidates is a box (centre, width, height in pixels of the graph's image) and a
probability per class. Images are letterboxed: resized within H x W, grey around.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import Task
from ..checks import chances
from ..model import OnnxModel
from ..suppression import Suppression
from ..ultralytics import RAW
from ..yolo import Suppressing


class Yolov8(Suppressing):
    """YOLOv8 and its kin, as Ultralytics exports them without suppression.

    Candidates that overlap a surer one of their class by more than `iou` are dropped; `agnostic`
    compares those of all classes.
    """

    dialect: ClassVar[str] = RAW
    columns: ClassVar[int] = 4
    columns_first: ClassVar[bool] = True

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        iou: float = 0.7,
        agnostic: bool = False,
        max_det: int = 300,
    ) -> None:
        super().__init__(task, model, suppression=Suppression(iou, agnostic, max_det))

    def scores(self, candidates: NDArray[np.float32]) -> NDArray[np.float32]:
        """As they are."""
        return chances(candidates[:, 4:])
