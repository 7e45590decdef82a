from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from ...base import Task, TaskInput
from ..device import Device
from ..images import MAX_PIXELS, decode
from ..pixels import Pixels
from ..rows import Decoded
from .base import TransformersBackend


class VisionBackend(TransformersBackend):
    """Models that look at images. `max_pixels` bounds a row's size before it is decoded."""

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        max_pixels: int = MAX_PIXELS,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._max_pixels = max_pixels
        self.processor: Any = None
        self._pixels: Pixels | None = None

    def load_processor(self) -> None:
        """Load the image processor; a plain one is replaced by the faster equal path."""
        from transformers import AutoImageProcessor

        self.processor = AutoImageProcessor.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )
        self._pixels = Pixels.from_config(self.processor.to_dict())

    def decoded(self, batch: Sequence[TaskInput]) -> Decoded[Image.Image]:
        """The rows' images."""
        return Decoded(batch, lambda row: decode(row.images[0], self._max_pixels))  # type: ignore[attr-defined] # vision inputs have images

    def tensors(self, images: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        """The model's inputs on its device: pixel_values (B, 3, H, W), and what else it takes."""
        if self._pixels is not None:
            return {"pixel_values": self.to_device(torch.from_numpy(self._pixels(images)))}
        inputs = self.processor(images=list(images), return_tensors="pt")
        return {name: self.to_device(tensor) for name, tensor in inputs.items()}
