"""Dialect semantic-logits: pixel_values (B, 3, H, W) -> logits (B, labels, h, w)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....vision.image_segmentation import ImageSegmentationOutput, Segment
from ...image.fitting import Fitted
from ...image.interpolate import interpolated
from ...image.png import mask_png
from ...sizes import Size
from ..adapter import has_rank
from ..graph import Shapes
from ..images import ImageAdapter

#: Pixels of a map, at most; beyond, masks are enlarged: a map takes a float for each label.
_MAX_MAP_PIXELS = 2**20


class SemanticLogits(ImageAdapter):
    """SegFormer and its kin: a label for every pixel."""

    dialect: ClassVar[str] = "semantic-logits"
    tasks: ClassVar[tuple[str, ...]] = ("image-segmentation",)
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Classifiers give logits of two axes, detectors boxes besides."""
        return (
            set(inputs) == {"pixel_values"}
            and "logits" in outputs
            and "pred_boxes" not in outputs
            and has_rank(outputs["logits"], 4)
        )

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[TaskOutput | RowError]:
        """One run. A map decides for every pixel, so that no threshold counts; a row that wants
        other segments is refused.
        """
        logits = self.graph.read("logits", {"pixel_values": values})
        return [
            self._answer(row, one, image.size)
            for row, one, image in zip(inputs, logits, rows, strict=True)
        ]

    def _answer(
        self, row: TaskInput, logits: NDArray[np.float32], size: Size
    ) -> TaskOutput | RowError:
        subtask = getattr(row, "subtask", None)
        if subtask not in (None, "semantic"):
            return RowError(f"the model has no {subtask} segmentation; it has semantic")
        shrink = min(1.0, math.sqrt(_MAX_MAP_PIXELS / (size[0] * size[1])))
        width, height = (max(1, int(edge * shrink)) for edge in size)
        of_pixels = interpolated(logits, (width, height), "bilinear").argmax(axis=0)
        labels = self.model.labels(len(logits))
        return ImageSegmentationOutput(
            segments=[
                [
                    Segment(
                        label=labels[label],
                        score=1.0,
                        mask=mask_png(_enlarged(of_pixels == label, size)),
                    )
                    for label in np.unique(of_pixels).tolist()
                ]
            ]
        )


def _enlarged(mask: NDArray[np.bool_], size: Size) -> NDArray[Any]:
    if mask.shape == (size[1], size[0]):
        return mask
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
