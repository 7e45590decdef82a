"""Dialect yolo-end2end: images (B, 3, H, W), values 0 to 1 -> one output (B, N, 6).

Each of N rows is a box (xmin, ymin, xmax, ymax in pixels of the graph's image), a score and a
class. Images are letterboxed. The graph suppresses by itself, or has nothing to suppress.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import BackendError
from ...image.fitting import Fitted
from ..detection import Objects
from ..letterbox import unboxed
from ..ultralytics import END2END
from ..yolo import YoloAdapter, check_pixels, read_final


class YoloEnd2end(YoloAdapter):
    """YOLOv10, YOLO26 end to end, and whatever Ultralytics exports with nms=True."""

    dialect: ClassVar[str] = END2END

    def objects(self, out: NDArray[np.float32], threshold: float, row: Fitted) -> Objects:
        """Rows as they are; those that fill the output up have a score of 0."""
        boxes, scores, classes = read_final(out, self.classes)
        check_pixels(boxes[scores > 0], max(row.image.size))
        sure = np.flatnonzero(scores > threshold)
        chosen = boxes[sure]
        if (chosen[:, 2:] < chosen[:, :2] - 1).any():
            raise BackendError("the graph's boxes end before they begin: they are no corners")
        return Objects(scores[sure], classes[sure], unboxed(chosen, row.image.size, row.size))
