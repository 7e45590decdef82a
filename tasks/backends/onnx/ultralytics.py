"""What the YOLO family's exporters write into a file, and which of their forms it can be.

Their graphs share the input `images` and one output (B, N, M) or (B, M, N); what the M numbers of a
candidate mean, the file's metadata, its class names and its widths tell together.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..sizes import Size
from .adapter import GraphInfo

#: The dialects, one a form.
RAW, OBJECTNESS, END2END, RTDETR = "yolov8", "yolov5", "yolo-end2end", "ultralytics-rtdetr"

#: A graph's images are multiples of it, where nothing tells.
_STRIDE = 32

#: Pixels from one cell of the grids to the next, in the families that are known.
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))


class UltralyticsMetadata(NamedTuple):
    """A file's metadata, as Ultralytics and YOLOv5 write it; empty where they did not."""

    task: str
    names: Mapping[int, str]
    #: Whether the graph suppresses by itself; None where nothing tells.
    end2end: bool | None
    #: Whether its suppression was written out row by row, for the batch it was exported with.
    unrolled: bool
    rtdetr: bool
    size: Size | None
    stride: int
    #: Keypoints an object, and numbers a keypoint: x, y, and how sure.
    keypoints: tuple[int, int] | None
    #: What they are called, per class.
    keypoint_names: Mapping[int, Sequence[str]]

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> UltralyticsMetadata:
        """Read what is understood; the rest is as if it were not there."""
        told = {key: _literal(text) for key, text in metadata.items()}
        names, size, args = told.get("names"), told.get("imgsz"), told.get("args")
        if isinstance(names, list):
            names = dict(enumerate(names))
        height_width, points = _pair(size), told.get("kpt_names")
        answers = [bool(told["end2end"])] if "end2end" in told else []
        nms = args.get("nms") if isinstance(args, dict) else None
        answers += [bool(nms)] if isinstance(args, dict) and "nms" in args else []
        kind = f"{metadata.get('head', '')} {metadata.get('description', '')}".lower()
        return cls(
            task=metadata.get("task", ""),
            names={int(k): str(v) for k, v in names.items()} if isinstance(names, dict) else {},
            end2end=any(answers) if answers else None,
            unrolled=bool(nms),
            rtdetr="rtdetr" in kind or "rt-detr" in kind,
            size=(height_width[1], height_width[0]) if height_width else None,
            stride=told["stride"] if isinstance(told.get("stride"), int) else _STRIDE,
            keypoints=_pair(told.get("kpt_shape")),
            keypoint_names=points if isinstance(points, dict) else {},
        )


def class_count(written: UltralyticsMetadata, config: Mapping[str, Any]) -> int | None:
    """How many classes are named: by config.json, else by the file."""
    numbers = [int(number) for number in config.get("id2label") or written.names]
    return max(numbers) + 1 if numbers else None


def forms(told: GraphInfo, named: str = "") -> set[str]:
    """The forms that a graph can be, by all that is known of it; `named` is its operator's word."""
    written = UltralyticsMetadata.read(told.metadata)
    if written.rtdetr:
        return {RTDETR}
    if written.end2end:
        return {END2END}
    (axes,) = told.outputs.values()
    first, last = axes[1:] or (None, None)
    classes = class_count(written, told.config)
    found = set()
    # Who writes a task, Ultralytics, has the candidates last.
    usual = (first,) if written.task else (first, last)
    if classes is None or any(_may_be(axis, 4 + classes) for axis in usual):
        found.add(RAW)
    if not written.task and (classes is None or _may_be(last, 5 + classes)):
        found.add(OBJECTNESS)
    if written.end2end is None and _may_be(last, 6):
        found.add(END2END)
    boxes_a_cell = _boxes_a_cell(told, (first, last))
    if boxes_a_cell == 1:
        # One box a cell with objectness may be YOLOv6 or YOLOX, whose images and boxes differ. They
        # have the candidates first, and without a count of classes are as wide as YOLOv8.
        doubtful = classes is None and not written.task and _is_more(first, last)
        found &= {named} if doubtful else {RAW, named}
    elif boxes_a_cell == 3:
        found &= {OBJECTNESS}
    return found


def _may_be(axis: object, width: int) -> bool:
    return axis == width or not isinstance(axis, int)


def _is_more(first: object, last: object) -> bool:
    return isinstance(first, int) and isinstance(last, int) and first > last


def _boxes_a_cell(told: GraphInfo, axes: tuple[object, object]) -> int | None:
    """How many boxes each cell of the graph's grids has; None where its boxes are of no grid."""
    shape = told.inputs["images"][-2:]
    if len(shape) != 2 or not all(isinstance(edge, int) for edge in shape):
        return None
    height, width = (int(str(edge)) for edge in shape)
    for strides in _STRIDES:
        cells = sum((height // stride) * (width // stride) for stride in strides)
        for count in (1, 3):
            if count * cells in axes:
                return count
    return None


def _pair(written: Any) -> tuple[int, int] | None:
    if isinstance(written, list | tuple) and len(written) == 2:
        return int(written[0]), int(written[1])
    return None


def _literal(text: str) -> Any:  # whatever the exporter wrote
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
