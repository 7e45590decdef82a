"""Dialect ultralytics-rtdetr: images (B, 3, H, W), values 0 to 1 -> one output (B, N, 6), or
(B, N, 4 + C).

Each of N rows is a box (centre, width, height relative to the image), then a score and a class, or
a probability per class. Images are stretched to H x W.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import BackendError
from ...image.detect import corners
from ...image.fitting import Fitted
from ...image.pixels import Pixels
from ...sizes import Exact
from ..checks import chances
from ..detection import Objects
from ..preprocess import plain
from ..ultralytics import RTDETR
from ..yolo import YoloAdapter, read_final

#: How far beyond the image a box may reach, relative to it.
_BEYOND = 1.0


class UltralyticsRtdetr(YoloAdapter):
    """RT-DETR as Ultralytics exports it."""

    dialect: ClassVar[str] = RTDETR

    def read_pixels(self) -> Pixels:
        """Stretched; values 0 to 1."""
        return plain(Exact(self.size()))

    def objects(self, out: NDArray[np.float32], threshold: float, row: Fitted) -> Objects:
        """A class a row: that of its score, or the surest."""
        boxes, scores, classes = self._read(out)
        if (np.abs(boxes - 0.5) > 0.5 + _BEYOND).any():
            raise BackendError("the graph's boxes are not relative to its image")
        sure = np.flatnonzero(scores > threshold)
        limits = np.array([*row.size, *row.size], dtype=np.float32)
        return Objects(scores[sure], classes[sure], corners(boxes[sure], row.size).clip(0, limits))

    def _read(
        self, out: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        if out.shape[1] == 6 and (out[:, 5] == out[:, 5].round()).all():
            return read_final(out, self.classes)
        if self.classes is not None and out.shape[1] != 4 + self.classes:
            raise BackendError(f"the graph gives rows of {out.shape[1]}, not 4 + {self.classes}")
        scores = chances(out[:, 4:])
        return out[:, :4], scores.max(axis=1), scores.argmax(axis=1)
