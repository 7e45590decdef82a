"""Images within a frame of a size, grey around, as the YOLO family sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..image.pixels import Pixels
from ..sizes import Size
from .preprocess import plain

#: The grey around an image.
_GREY = (114, 114, 114)


@dataclass(frozen=True, slots=True)
class Letterbox(Pixels):
    """Resizes an image within `size` and centres it on grey."""

    size: Size = (640, 640)

    @classmethod
    def of(cls, size: Size) -> Letterbox:
        """One of values from 0 to 1."""
        base = plain(None)
        return cls(
            resize=None,
            crop=None,
            resample=base.resample,
            scale=base.scale,
            shift=base.shift,
            size=size,
        )

    def fit(self, image: Image.Image) -> Image.Image:
        """An image of `size`."""
        (left, top), (width, height) = placed(image.size, self.size)
        canvas = Image.new("RGB", self.size, _GREY)
        canvas.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
        return canvas


def placed(size: Size, within: Size) -> tuple[tuple[int, int], Size]:
    """Where an image of a size lies in its letterbox: its left upper corner, its size there."""
    ratio = min(within[0] / size[0], within[1] / size[1])
    width, height = (max(1, round(edge * ratio)) for edge in size)
    return (round((within[0] - width) / 2 - 0.1), round((within[1] - height) / 2 - 0.1)), (
        width,
        height,
    )


def unboxed(boxes: NDArray[np.float32], seen: Size, sent: Size) -> NDArray[np.float32]:
    """Boxes (Q, 4) of a letterbox in pixels of the image as sent, cut at its edges."""
    (left, top), (width, height) = placed(sent, seen)
    offset = np.array([left, top] * 2, dtype=np.float32)
    factor = np.array([sent[0] / width, sent[1] / height] * 2, dtype=np.float32)
    whole: NDArray[np.float32] = ((boxes - offset) * factor).clip(0, np.array([*sent, *sent]))
    return whole.astype(np.float32)
