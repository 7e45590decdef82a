"""Resize and normalise for plain vision models: uint8 through Pillow, one normalise for the batch.

Does what transformers' processors of the same settings do, without their per-image overhead.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....protocol.errors import RowError
from ..sizes import CutDown, Resize, Size
from .edges import Frame, Region, cropped, read_edges
from .opencv import OPENCV, resized
from .processor_table import Known
from .processors import complete, known

#: A rule of Pillow's, or OpenCV's bilinear one.
Resample = Image.Resampling | Literal["opencv"]

#: Pixels of a resized image, at most. A line of 1 x 100,000 pixels would swell to gigabytes.
_MAX_RESIZED = 2**24

#: Pixels of the square around an image, at most, which the same line would have swell.
_MAX_REGION = 200_000_000

#: How many times as large as it is wanted a JPEG is decoded, at least, where it need not be whole;
#: and as which other pictures are averaged before they are resized.
_DECODING_GAP, _REDUCING_GAP = 2.0, 3.0

#: Rules that do not weigh all pixels that fall together: of fewer pixels they take others.
_OF_SINGLE_PIXELS = (Image.Resampling.NEAREST, OPENCV)


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
    #: What is cut out of an image before all else, and what is around it after.
    region: Region | None = None
    frame: Frame | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Read preprocessor_config.json; None when it asks for more than this can do."""
        processor = known(config)
        whole = complete(config, processor) if processor else None
        edges = read_edges(processor, whole) if processor and whole else None
        values = _values(processor, whole) if processor and whole else None
        if edges is None or values is None or whole is None:
            return None
        return cls(
            resize=edges.resize,
            crop=edges.crop,
            resample=Image.Resampling(whole["resample"]),
            scale=values[0],
            shift=values[1],
            order=(2, 1, 0) if whole.get("do_flip_channel_order") else (0, 1, 2),
            region=edges.region,
            frame=edges.frame,
        )

    @property
    def fixed(self) -> Size | None:
        """The size of every result; None where it follows the image."""
        size = self.crop or (self.resize.fixed if self.resize is not None else None)
        return self.frame.whole(size) if size and self.frame is not None else size

    @property
    def masked(self) -> bool:
        """Whether the model is to be told where in its frame an image lies."""
        return self.frame is not None and self.frame.masked

    def fit(self, image: Image.Image) -> Image.Image:
        """Resize and crop an RGB image. Raises RowError where it is too narrow for that."""
        if self.region is not None:
            self._check_region(image.size)
            image = self.region.of(image)
        return self._fitted(image, image.size, self.resized)

    def fit_reduced(self, image: Image.Image, own: Size) -> Image.Image:
        """Nearly the same of an image that was of the size `own` and may have been decoded to less.
        A large one is made smaller by whole pixels before it is resized.
        """
        seen: tuple[int, ...] = (0, 0, *own)
        # The last pixel of a line may stand for fewer than the others do.
        across, down = (round(before / now) for before, now in zip(own, image.size, strict=True))
        if self.region is not None:
            self._check_region(own)
            seen, own = self.region.within(own), self.region.size(own)
            if not seen:
                image = self.region.of(image)
        box = None
        if seen:
            left, top, right, bottom = seen
            box = left / across, top / down, right / across, bottom / down
        return self._fitted(image, own, functools.partial(self._shrunk, box=box))

    def _check_region(self, size: Size) -> None:
        assert self.region is not None
        width, height = self.region.size(size)
        if min(width, height) < 1 or width * height > _MAX_REGION:
            raise _too_narrow(size)

    def _shrunk(
        self, image: Image.Image, size: Size, *, box: tuple[float, float, float, float] | None
    ) -> Image.Image:
        assert isinstance(self.resample, Image.Resampling)  # else `unscalable` says why not
        return image.resize(size, self.resample, box, _REDUCING_GAP)

    def _fitted(
        self, image: Image.Image, own: Size, resized: Callable[[Image.Image, Size], Image.Image]
    ) -> Image.Image:
        if self.resize is not None:
            width, height = self.resize(own)
            if min(width, height) < 1 or width * height > max(_MAX_RESIZED, own[0] * own[1]):
                raise _too_narrow(own)
            image = resized(image, (width, height))
        image = image if self.crop is None else self.cropped(image, self.crop)
        if self.frame is not None:
            self.frame.whole(image.size)  # that it fits is for its own row to say
        return image

    @property
    def unscalable(self) -> str:
        """Why images may not be decoded to less than their size; "" where they may."""
        if type(self).fit is not Pixels.fit or self.resample in _OF_SINGLE_PIXELS:
            return "it looks at single pixels of an image when it resizes it"
        if self.resize is None or isinstance(self.resize, CutDown):
            return "it looks at images in their own size"
        return ""

    def enough(self, size: Size) -> Size | None:
        """The size that an image of this size may be decoded to; None for its own.

        Twice what is wanted: docs/performance.md has what other gaps bring and cost.
        """
        seen = self.region.size(size) if self.region is not None else size
        wanted = self.resize(seen) if self.resize is not None else None
        if wanted is None or min(wanted) < 1 or min(seen) < 1:
            return None
        width, height = (
            _DECODING_GAP * w * of / s for w, of, s in zip(wanted, size, seen, strict=True)
        )
        return math.ceil(width), math.ceil(height)

    def resized(self, image: Image.Image, size: Size) -> Image.Image:
        """An RGB image in another size, by the rule."""
        if self.resample == OPENCV:
            return resized(image, size)
        return image.resize(size, self.resample)

    def cropped(self, image: Image.Image, crop: Size) -> Image.Image:
        """The middle of an image, as transformers' processors place it."""
        return cropped(image, crop)

    def normalise(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Fitted images of one size -> (B, 3, H, W)."""
        if self.frame is None:
            return self._normalised([np.asarray(image) for image in images])
        batch = np.stack([np.asarray(image) for image in images])
        (width, height), (left, top) = images[0].size, self.frame.corner(images[0].size)
        wide, high = self.frame.whole((width, height))
        around = ((0, 0), (top, high - height - top), (left, wide - width - left), (0, 0))
        if self.frame.fill == "zeros":
            return np.pad(self._normalised(batch), (around[0], around[3], *around[1:3]))
        mode: Literal["symmetric", "constant"]
        mode = "symmetric" if self.frame.fill == "mirror" else "constant"
        return self._normalised(np.pad(batch, around, mode))

    def mask(self, images: Sequence[Image.Image]) -> NDArray[np.int64]:
        """Where fitted images of one size lie in their frame: ones, (B, H, W)."""
        (width, height), (left, top) = images[0].size, (0, 0)
        wide, high = width, height
        if self.frame is not None:
            (wide, high), (left, top) = (
                self.frame.whole((width, height)),
                self.frame.corner((width, height)),
            )
        mask = np.zeros((len(images), high, wide), np.int64)
        mask[:, top : top + height, left : left + width] = 1
        return mask

    def _normalised(
        self, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """(H, W, 3) each -> (B, 3, H, W)."""
        height, width, _ = pictures[0].shape
        out = np.empty((len(pictures), 3, height, width), dtype=np.float32)
        scales, shifts = (np.array(each, np.float32) for each in (self.scale, self.shift))
        for row, picture in enumerate(pictures):
            for channel, plane in enumerate(out[row]):  # one at a time stays in the core's cache
                plane[...] = picture[..., self.order[channel]]
                plane *= scales[channel]
                plane += shifts[channel]
        return out


def _too_narrow(size: Size) -> RowError:
    return RowError(f"an image of {size[0]} x {size[1]} pixels is too narrow")


def _values(
    processor: Known, whole: Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """What pixels are multiplied by, and what is added, per channel; None for no RGB ones."""
    normal = whole["do_normalize"]
    mean = whole["image_mean"] if normal else (0.0, 0.0, 0.0)
    std = whole["image_std"]
    if len(mean) != 3 or len(std) != 3:
        return None
    factor = whole["rescale_factor"] if whole["do_rescale"] else 1.0
    less = 1.0 if processor.offset and whole[processor.offset] and whole["do_rescale"] else 0.0
    times = int(bool(normal)) + bool(processor.twice and whole[processor.twice])
    return (
        tuple(factor / s**times for s in std),
        tuple(-(m + less) / s**times for m, s in zip(mean, std, strict=True)),
    )
