"""Resize and normalise for plain vision models: uint8 through Pillow, one normalise for the batch.

Does what transformers' processors of the same settings do, without their per-image overhead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Processors that do nothing but resize, crop, rescale and normalise.
_PLAIN = ("ViT", "DeiT", "CLIP", "Siglip", "ConvNext", "BeitImage")


@dataclass(frozen=True, slots=True)
class Pixels:
    """A plain processor. `size` and `crop` are (height, width) in pixels."""

    size: tuple[int, int] | None
    shortest_edge: int | None
    crop: tuple[int, int] | None
    resample: int
    #: pixel * scale + shift, per channel: rescale and normalise in one step.
    scale: tuple[float, ...]
    shift: tuple[float, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Read preprocessor_config.json; None when it asks for more than this can do."""
        kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
        if not kind.startswith(_PLAIN) or config.get("do_pad") or config.get("crop_pct"):
            return None
        size, crop = config.get("size") or {}, config.get("crop_size") or {}
        if isinstance(size, int):
            size = {"height": size, "width": size}
        if isinstance(crop, int):
            crop = {"height": crop, "width": crop}
        resized = config.get("do_resize", True)
        edge = size.get("shortest_edge") if resized else None
        if resized and edge is None and not {"height", "width"} <= set(size):
            return None
        cropped = config.get("do_center_crop", False)
        if cropped and not {"height", "width"} <= set(crop):
            return None
        if (not resized or edge is not None) and not cropped:
            return None  # sizes would differ within a batch
        factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
        normal = config.get("do_normalize", True)
        mean = config.get("image_mean") or [0.5] * 3 if normal else [0.0] * 3
        std = config.get("image_std") or [0.5] * 3 if normal else [1.0] * 3
        return cls(
            size=(size["height"], size["width"]) if resized and edge is None else None,
            shortest_edge=edge,
            crop=(crop["height"], crop["width"]) if cropped else None,
            resample=int(config.get("resample", Image.Resampling.BILINEAR)),
            scale=tuple(factor / s for s in std),
            shift=tuple(-m / s for m, s in zip(mean, std, strict=True)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of every image that comes out."""
        shape = self.crop or self.size
        assert shape is not None
        return shape

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """RGB images of any sizes -> (B, 3, H, W)."""
        height, width = self.shape
        batch = np.empty((len(images), height, width, 3), dtype=np.uint8)
        for row, image in enumerate(images):
            batch[row] = np.asarray(self._fit(image))
        out = np.empty((len(images), 3, height, width), dtype=np.float32)
        for channel in range(3):
            np.multiply(
                batch[..., channel],
                np.float32(self.scale[channel]),
                out=out[:, channel],
                casting="unsafe",
            )
            out[:, channel] += np.float32(self.shift[channel])
        return out

    def _fit(self, image: Image.Image) -> Image.Image:
        resample = Image.Resampling(self.resample)
        if self.size is not None:
            if image.size != (self.size[1], self.size[0]):
                image = image.resize((self.size[1], self.size[0]), resample)
        elif self.shortest_edge is not None:
            short, long = sorted(image.size)
            stretched = int(self.shortest_edge * long / short)
            portrait = image.width <= image.height
            target = (
                (self.shortest_edge, stretched) if portrait else (stretched, self.shortest_edge)
            )
            image = image.resize(target, resample)
        return image if self.crop is None else self._crop(image, self.crop)

    @staticmethod
    def _crop(image: Image.Image, crop: tuple[int, int]) -> Image.Image:
        # Pillow pads with black where the image is smaller, as the processors do.
        top, left = (image.height - crop[0]) // 2, (image.width - crop[1]) // 2
        return image.crop((left, top, left + crop[1], top + crop[0]))
