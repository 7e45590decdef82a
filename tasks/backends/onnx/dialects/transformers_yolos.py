"""Dialect transformers-yolos: pixel_values (B, 3, H, W) -> logits, pred_boxes, as DETR's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..detection import RelativeBoxes
from ..graph import Shapes


class TransformersYolos(RelativeBoxes):
    """YOLOS, and DETR exported from transformers. It may take a pixel_mask."""

    dialect: ClassVar[str] = "transformers-yolos"
    reads: ClassVar[tuple[str, ...]] = ("logits", "pred_boxes")

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names."""
        free = {*inputs} - {"pixel_mask"}
        return free == {"pixel_values"} and {"logits", "pred_boxes"} <= {*outputs}
