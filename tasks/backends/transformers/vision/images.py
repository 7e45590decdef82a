from __future__ import annotations

from typing import Any

from ....base import Task
from ....vision.images import MAX_PIXELS
from ...device import Device
from ..base import TransformersBackend


class ImagesBackend(TransformersBackend):
    """Models that are given images. `max_pixels` bounds each before it is decoded."""

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
