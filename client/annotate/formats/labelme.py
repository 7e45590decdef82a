"""LabelMe's JSON (https://labelme.io, as its `LabelFile` reads it): a folder.

    <name>.json     the shapes of an image: rectangle, mask or point; what the model says of the
                    whole image is a flag, the surest alone
    images.jsonl    which row each file is of

LabelMe looks for the image beside its JSON, under `imagePath`. `score` and `wherry_id` are ours,
which it keeps. A mask is a PNG of the box around it; `group_id` of a point is its object's number.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fits import (
    has_boxes,
    has_keypoints,
    has_labels,
    has_masks,
    items_of,
    label_of,
    point_of,
)
from ....tasks.base import Task
from ....tasks.values.rounding import number, pixels
from ..rows import Annotation, Origin
from .base import size_of
from .coco import file_name
from .file_names import FileNames
from .held_files import HeldFiles
from .text import ERRORS, json_text

#: A version whose files every later LabelMe reads.
_VERSION = "5.5.0"


class LabelMe(HeldFiles):
    """Boxes as the model gave them, not clipped to the image; an empty mask is left out."""

    names_pictures: ClassVar[bool] = True
    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        self._index = self._stream("index", self._open(path / "images.jsonl"))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        document = json_text(self._document(annotation))
        name = self._names.take(annotation.id, ".json")
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document + "\n", encoding="utf-8", errors=ERRORS, newline="\n")
        row = {"id": annotation.id, "path": annotation.path, "file": name}
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        pass

    def _document(self, annotation: Annotation) -> dict[str, Any]:
        width, height = size_of(annotation)
        task, items = self.origin.task, items_of(annotation.output)
        return {
            "version": _VERSION,
            "flags": {item.label: True for item in items[:1]} if has_labels(task) else {},
            "shapes": list(_shapes(task, items)),
            "imagePath": file_name(annotation).rpartition("/")[2],
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
            "wherry_id": annotation.id,
        }


def _shapes(task: Task, items: list[Any]) -> Iterator[dict[str, Any]]:
    if has_masks(task):
        yield from _masks(items)
    elif has_boxes(task):
        for item in items:
            yield _shape("rectangle", item.label, item.score, _corners(item.box))
    elif has_keypoints(task):
        for item in items:
            point = [[pixels(item.x), pixels(item.y)]]
            yield {**_shape("point", point_of(item), item.score, point), "group_id": item.object}


def _masks(items: list[Any]) -> Iterator[dict[str, Any]]:
    from ....tasks.values.masks import read_mask, write_mask  # numpy and Pillow, for masks alone
    from .coco_instance import bounds

    for item in items:
        mask = read_mask(item.mask)
        if mask.any():
            left, top, width, height = bounds(mask)
            # The last pixels, not the edges behind them.
            corners = [[left, top], [left + width - 1, top + height - 1]]
            part = write_mask(mask[top : top + height, left : left + width])
            shape = _shape("mask", label_of(item), item.score, corners)
            yield {**shape, "mask": base64.b64encode(part).decode("ascii")}


def _shape(kind: str, label: str, score: float, points: list[list[Any]]) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
        "score": number(score),
    }


def _corners(box: Any) -> list[list[float]]:
    return [[pixels(box.xmin), pixels(box.ymin)], [pixels(box.xmax), pixels(box.ymax)]]
