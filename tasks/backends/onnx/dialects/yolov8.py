"""Dialect yolov8: images (B, 3, H, W), values 0 to 1 -> one output (B, 4 + C, N), or its transpose.

Each of N candidates is a box (centre, width, height in pixels of the graph's image) and a
probability per class. Images are letterboxed: resized within H x W, grey around. Candidates that
overlap a surer one are dropped, whatever their classes (non-maximum suppression).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....base import TaskInput
from ...pixels import Pixels
from ...sizes import Size
from ...vision import Fitted
from ..detection import DetectionAdapter, Objects
from ..graph import Shapes
from ..preprocess import graph_size, plain

_Boxes = NDArray[np.float32]

#: Overlap, as intersection over union, from which two boxes mean one object.
NMS_IOU = 0.45

#: The grey around an image.
_GREY = (114, 114, 114)

#: Edge of the graph's image where the graph takes any.
_EDGE = 640


@dataclass(frozen=True, slots=True)
class Letterbox(Pixels):
    """Resizes an image within `size` and centres it on grey."""

    size: Size = (_EDGE, _EDGE)

    def fit(self, image: Image.Image) -> Image.Image:
        """An image of `size`."""
        (left, top), (width, height) = placed(image.size, self.size)
        canvas = Image.new("RGB", self.size, _GREY)
        canvas.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
        return canvas


class Yolov8(DetectionAdapter):
    """YOLOv8 and its kin as Ultralytics exports them."""

    dialect: ClassVar[str] = "yolov8"
    image_input: ClassVar[str] = "images"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """One output of a name of its own."""
        return (
            set(inputs) == {"images"}
            and len(outputs) == 1
            and not {"logits", "pred_boxes"} & {*outputs}
        )

    def read_pixels(self) -> Pixels:
        """The graph's own size; values 0 to 1."""
        base = plain(None)
        size = graph_size(self.model, self.image_input) or self._written_size()
        return Letterbox(
            resize=None,
            crop=None,
            resample=base.resample,
            scale=base.scale,
            shift=base.shift,
            size=size,
        )

    def _written_size(self) -> Size:
        written = _literal(self.graph.metadata.get("imgsz", ""))
        if isinstance(written, list) and len(written) == 2:
            return int(written[1]), int(written[0])
        return _EDGE, _EDGE

    def names(self) -> dict[int, str]:
        """id2label, or what the exporter wrote into the graph."""
        written = _literal(self.graph.metadata.get("names", ""))
        named = {int(k): str(v) for k, v in written.items()} if isinstance(written, dict) else {}
        return self.model.labels() or named

    def find(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[Objects]:
        """One run; suppression row by row, among candidates above the row's threshold."""
        (out,) = self.graph.run_rows({self.image_input: values}).values()
        if out.shape[1] <= out.shape[2]:
            out = out.transpose(0, 2, 1)  # (B, N, 4 + C)
        return [
            self._objects(candidates, getattr(row, "threshold", 0.5), image)
            for candidates, row, image in zip(out, inputs, rows, strict=True)
        ]

    @staticmethod
    def _objects(candidates: NDArray[np.float32], threshold: float, row: Fitted) -> Objects:
        scores, names = candidates[:, 4:].max(axis=1), candidates[:, 4:].argmax(axis=1)
        sure = np.flatnonzero(scores > threshold)
        half = candidates[sure, 2:4] / 2
        centre = candidates[sure, :2]
        boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
        kept = suppressed(boxes, scores[sure], NMS_IOU)
        sure, boxes = sure[kept], unboxed(boxes[kept], row.image.size, row.size)
        return Objects(scores[sure], names[sure], boxes)


def placed(size: Size, within: Size) -> tuple[tuple[int, int], Size]:
    """Where an image of a size lies in its letterbox: its left upper corner, its size there."""
    ratio = min(within[0] / size[0], within[1] / size[1])
    width, height = (max(1, round(edge * ratio)) for edge in size)
    return (round((within[0] - width) / 2 - 0.1), round((within[1] - height) / 2 - 0.1)), (
        width,
        height,
    )


def unboxed(boxes: _Boxes, seen: Size, sent: Size) -> _Boxes:
    """Boxes (Q, 4) of a letterbox in pixels of the image as sent, cut at its edges."""
    (left, top), (width, height) = placed(sent, seen)
    offset = np.array([left, top] * 2, dtype=np.float32)
    factor = np.array([sent[0] / width, sent[1] / height] * 2, dtype=np.float32)
    whole: _Boxes = ((boxes - offset) * factor).clip(0, np.array([*sent, *sent]))
    return whole.astype(np.float32)


def suppressed(boxes: _Boxes, scores: NDArray[np.float32], iou: float) -> list[int]:
    """Positions of the boxes (Q, 4) that overlap no surer one by more than `iou`, surest first."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    rest, kept = np.argsort(-scores, kind="stable"), []
    while len(rest):
        best, rest = int(rest[0]), rest[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        union = areas[best] + areas[rest] - shared
        rest = rest[shared <= iou * union]
    return kept


def _literal(text: str) -> Any:  # whatever the exporter wrote
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
