"""Images within a frame of a size, grey around, as the YOLO family sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..image.opencv import OPENCV
from ..image.pixels import Pixels
from ..sizes import Size
from .preprocess import plain

#: The grey around an image.
_GREY = (114, 114, 114)


@dataclass(frozen=True, slots=True)
class Letterbox(Pixels):
    """Resizes an image within `size`, as OpenCV does unless told, and centres it on grey.

    With a `stride` there is no more grey than makes both edges a multiple of it.
    """

    size: Size = (640, 640)
    stride: int | None = None

    @classmethod
    def of(cls, size: Size, *, stride: int | None = None) -> Letterbox:
        """One of values from 0 to 1."""
        base = plain(None)
        return cls(
            resize=None,
            crop=None,
            resample=OPENCV,
            scale=base.scale,
            shift=base.shift,
            size=size,
            stride=stride,
        )

    def fit(self, image: Image.Image) -> Image.Image:
        """An image of `size`, or within it."""
        _, within = placed(image.size, self.size)
        grey = [edge - used for edge, used in zip(self.size, within, strict=True)]
        if self.stride:
            grey = [edge % self.stride for edge in grey]
        canvas = Image.new("RGB", (within[0] + grey[0], within[1] + grey[1]), _GREY)
        canvas.paste(self.resized(image, within), (_before(grey[0]), _before(grey[1])))
        return canvas


def placed(size: Size, within: Size) -> tuple[tuple[int, int], Size]:
    """Where an image of a size lies in its letterbox: its left upper corner, its size there."""
    ratio = min(within[0] / size[0], within[1] / size[1])
    width, height = (max(1, round(edge * ratio)) for edge in size)
    return (_before(within[0] - width), _before(within[1] - height)), (width, height)


def _before(grey: int) -> int:
    """How much of the grey lies before an image."""
    return round(grey / 2 - 0.1)


def unboxed(places: NDArray[np.float32], seen: Size, sent: Size) -> NDArray[np.float32]:
    """Points (.., 2), or boxes (.., 4), of a letterbox in pixels of the image as sent, cut at its
    edges.
    """
    (left, top), (width, height) = placed(sent, seen)
    points = places.reshape(-1, 2) - np.array([left, top], dtype=np.float32)
    points *= np.array([sent[0] / width, sent[1] / height], dtype=np.float32)
    whole: NDArray[np.float32] = points.clip(0, np.array(sent, dtype=np.float32))
    return whole.reshape(places.shape)
