"""Resize and normalise for plain vision models: uint8 through Pillow, one normalise for the batch.

Does what transformers' processors of the same settings do, without their per-image overhead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....protocol.errors import RowError
from ..sizes import Resize, Size, read_resize
from .opencv import OPENCV, resized
from .processors import complete

#: A rule of Pillow's, or OpenCV's bilinear one.
Resample = Image.Resampling | Literal["opencv"]

#: Pixels of a resized image, at most. A line of 1 x 100,000 pixels would swell to gigabytes.
_MAX_RESIZED = 2**24


@dataclass(frozen=True, slots=True)
class Pixels:
    """A plain processor. `resize` None leaves the size; `crop` is (width, height) in pixels."""

    resize: Resize | None
    crop: Size | None
    resample: Resample
    #: pixel * scale + shift, per channel: rescale and normalise in one step.
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    #: Which of red, green and blue each channel of the model is.
    order: tuple[int, int, int] = (0, 1, 2)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Read preprocessor_config.json; None when it asks for more than this can do."""
        whole = complete(config)
        if whole is None or whole.get("pad_size"):
            return None
        resize = read_resize(whole["size"], multiple=whole["multiple"])
        cropped = whole.get("crop_size") or {} if whole["do_center_crop"] else {}
        if whole["do_resize"] and resize is None:
            return None
        if whole["do_center_crop"] and not {"height", "width"} <= set(cropped):
            return None
        factor = whole["rescale_factor"] if whole["do_rescale"] else 1.0
        normal = whole["do_normalize"]
        mean = whole["image_mean"] if normal else (0.0, 0.0, 0.0)
        std = whole["image_std"] if normal else (1.0, 1.0, 1.0)
        if len(mean) != 3 or len(std) != 3:
            return None
        return cls(
            resize=resize if whole["do_resize"] else None,
            crop=(cropped["width"], cropped["height"]) if cropped else None,
            resample=Image.Resampling(whole["resample"]),
            scale=tuple(factor / s for s in std),
            shift=tuple(-(m + whole["offset"]) / s for m, s in zip(mean, std, strict=True)),
        )

    def fit(self, image: Image.Image) -> Image.Image:
        """Resize and crop an RGB image. Raises RowError where it is too narrow for that."""
        return self.fit_reduced(image, image.size)

    def fit_reduced(self, image: Image.Image, own: Size) -> Image.Image:
        """The same of an image that was of the size `own`, and may have been made smaller since."""
        if self.resize is not None:
            width, height = self.resize(own)
            if min(width, height) < 1 or width * height > _MAX_RESIZED:
                raise RowError(f"an image of {own[0]} x {own[1]} pixels is too narrow")
            if (width, height) != image.size:
                image = self.resized(image, (width, height))
        return image if self.crop is None else self.cropped(image, self.crop)

    def enough(self, size: Size) -> Size | None:
        """The size that an image of this size may be decoded to; None for its own.

        Twice what is wanted: the mean pixel of a photograph is then 0.2 of 255 levels off, where it
        would be 0.6.
        """
        wanted = self.resize(size) if self.resize is not None else None
        return (2 * wanted[0], 2 * wanted[1]) if wanted and min(wanted) > 0 else None

    def resized(self, image: Image.Image, size: Size) -> Image.Image:
        """An RGB image in another size, by the rule."""
        if self.resample == OPENCV:
            return resized(image, size)
        return image.resize(size, self.resample)

    def cropped(self, image: Image.Image, crop: Size) -> Image.Image:
        """The middle of an image, as transformers' processors place it."""
        # Pillow pads with black where the image is smaller, as the processors do.
        left, top = (image.width - crop[0]) // 2, (image.height - crop[1]) // 2
        return image.crop((left, top, left + crop[0], top + crop[1]))

    def normalise(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Fitted images of one size -> (B, 3, H, W)."""
        width, height = images[0].size
        out = np.empty((len(images), 3, height, width), dtype=np.float32)
        scales, shifts = (np.array(each, np.float32) for each in (self.scale, self.shift))
        for row, image in enumerate(images):
            pixels = np.asarray(image)
            for channel, plane in enumerate(out[row]):  # one at a time stays in the core's cache
                plane[...] = pixels[..., self.order[channel]]
                plane *= scales[channel]
                plane += shifts[channel]
        return out
