"""Dialect yolo-segment: images (B, 3, H, W), values 0 to 1 -> two outputs: (B, 4 + C + M, N), or
(B, N, 6 + M), and (B, M, H / 4, W / 4).

A candidate's M numbers weigh the M maps of the second output: where their sum is over 0, within the
candidate's box, is its object. Images are letterboxed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import BackendError, RowError
from ....base import TaskInput, TaskOutput
from ....vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)
from ...image.fitting import Fitted
from ...image.interpolate import interpolated
from ...image.png import mask_png
from ..adapter import GraphInfo, has_rank
from ..checks import finite
from ..graph import Shapes
from ..letterbox import placed, unboxed
from ..yolo import Candidates
from ..yolo_parts import PartsAdapter

_Floats = NDArray[np.float32]

#: Edges of an image for one of a map.
_SCALE = 4


class YoloSegment(PartsAdapter):
    """A segmenter as Ultralytics exports it: instances, which may overlap."""

    dialect: ClassVar[str] = "yolo-segment"
    tasks: ClassVar[tuple[str, ...]] = ("image-segmentation", "object-detection")
    kind: ClassVar[str] = "segment"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """Candidates, then maps."""
        axes = [*outputs.values()]
        return (
            set(inputs) == {"images"}
            and len(axes) == 2
            and has_rank(axes[0], 3)
            and len(axes[1]) == 4
            and isinstance(axes[1][1], int)
        )

    @classmethod
    def beyond(cls, told: GraphInfo) -> int:
        """As many as there are maps."""
        return int([*told.outputs.values()][1][1] or 0)

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> list[TaskOutput | RowError]:
        """Boxes, or masks, of the row's image."""
        if self.task.name != "image-segmentation":
            return super().answer(inputs, rows, values)
        out = self.graph.run_rows({self.image_input: values})
        lines, maps = (finite(out[name], name) for name in self.graph.outputs)
        return [
            self._segments(row, image, one, of_image)
            for row, image, one, of_image in zip(inputs, rows, lines, maps, strict=True)
        ]

    def _segments(
        self, row: TaskInput, image: Fitted, out: _Floats, maps: _Floats
    ) -> TaskOutput | RowError:
        assert isinstance(row, ImageSegmentationInput)
        if row.subtask not in (None, "instance"):
            return RowError(f"the model has no {row.subtask} segmentation; it has instance")
        found = self.candidates(out, row.threshold, image)
        labels = self.called(found.classes)
        masks = _masks(found, maps, image, _logit(row.mask_threshold))
        segments = [
            Segment(label=labels[int(name)], score=float(score), mask=mask_png(mask))
            for name, score, mask in zip(found.classes, found.scores, masks, strict=True)
            if mask.any()
        ]
        return ImageSegmentationOutput(segments=[segments])


def _masks(
    found: Candidates, maps: _Floats, image: Fitted, cut: float
) -> Iterator[NDArray[np.bool_]]:
    """Each candidate's mask, of the size of the image as sent, one at a time."""
    count, height, width = maps.shape
    seen = image.image.size
    if (width * _SCALE, height * _SCALE) != seen:
        raise BackendError(f"the graph's maps of {width} x {height} are no fourth of its image")
    boxes = unboxed(found.boxes, seen, image.size)
    larger = _enlargement(seen, placed(image.size, seen)[1])
    size = (width * larger, height * larger)
    (left, top), (wide, high) = placed(image.size, size)
    for weights, box in zip(found.more, boxes, strict=True):
        of_graph = (weights @ maps.reshape(count, -1)).reshape(height, width)
        of_image = interpolated(of_graph, size, "bilinear")[top : top + high, left : left + wide]
        x, y = (slice(*np.ceil(edges).astype(int)) for edges in (box[::2], box[1::2]))
        mask = np.zeros((image.size[1], image.size[0]), dtype=np.bool_)
        mask[y, x] = interpolated(of_image, image.size, "bilinear", (y, x)) > cut
        yield mask


def _enlargement(seen: tuple[int, int], within: tuple[int, int]) -> int:
    """The least that brings the grey around an image to whole pixels of the maps: 1, 2 or 4."""
    grey = (seen[0] - within[0]) | (seen[1] - within[1])
    return _SCALE // math.gcd(_SCALE, grey | grey // 2)


def _logit(chance: float) -> float:
    if chance in (0, 1):
        return math.inf if chance else -math.inf
    return math.log(chance / (1 - chance))
