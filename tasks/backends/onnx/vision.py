from __future__ import annotations

from typing import Any

from ...base import Task
from ...vision.images import MAX_PIXELS
from ..device import Device
from ..pixels import Pixels
from .base import OnnxBackend


class OnnxVisionBackend(OnnxBackend):
    """Graphs that look at images. `max_pixels` bounds a row's size before it is decoded."""

    pixels: Pixels

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
        self.max_pixels = max_pixels

    def read_pixels(self, image_input: str) -> Pixels:
        """The preprocessor's settings; the graph's own size wins where it is fixed.

        Raises ValueError for a processor that does more than resize, crop and normalise.
        """
        config = self.read_json("preprocessor_config.json")
        fixed = self._graph_size(image_input)
        if fixed is not None and not config.get("do_center_crop"):
            config = {**config, "size": fixed}
        pixels = Pixels.from_config(config)
        if pixels is None:
            raise ValueError(
                f"{self.folder}: preprocessor_config.json is missing, or does more than resize, "
                "crop and normalise"
            )
        return pixels

    def _graph_size(self, image_input: str) -> dict[str, int] | None:
        """Height and width of the graph's input (B, 3, H, W); None where they are free."""
        shape = next(n.shape for n in self.session.get_inputs() if n.name == image_input)
        if len(shape) != 4 or not all(isinstance(edge, int) for edge in shape[2:]):
            return None
        return {"height": shape[2], "width": shape[3]}
