"""Dialect yolo-end2end: images (B, 3, H, W), values 0 to 1 -> one output (B, N, 6).

Each of N rows is a box (xmin, ymin, xmax, ymax in pixels of the graph's image), a score and a
class. Images are letterboxed. The graph suppresses by itself, or has nothing to suppress.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...image.fitting import Fitted
from ..detection import Objects
from ..letterbox import unboxed
from ..ultralytics import END2END
from ..yolo import YoloAdapter, check_pixels, final


class YoloEnd2end(YoloAdapter):
    """YOLOv10, YOLO26 end to end, and whatever Ultralytics exports with nms=True."""

    dialect: ClassVar[str] = END2END

    def objects(self, out: NDArray[np.float32], threshold: float, row: Fitted) -> Objects:
        """Rows as they are; those that fill the output up have a score of 0."""
        check_pixels(out[out[:, 4] > 0, :4], max(row.image.size))
        found = final(out, self.classes, threshold)
        return Objects(found.scores, found.classes, unboxed(found.boxes, row.image.size, row.size))
