"""Dialect transformers-detr: images (B, 3, H, W) -> logits (B, Q, C + 1), pred_boxes (B, Q, 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..detection import RelativeBoxes
from ..graph import Shapes


class TransformersDetr(RelativeBoxes):
    """DETR as its own exporters name it. It may take a pixel_mask."""

    dialect: ClassVar[str] = "transformers-detr"
    reads: ClassVar[tuple[str, ...]] = ("logits", "pred_boxes")
    image_input = "images"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names."""
        return {*inputs} - {"pixel_mask"} == {"images"} and {"logits", "pred_boxes"} <= {*outputs}
