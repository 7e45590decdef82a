"""YOLO's keypoints (https://docs.ultralytics.com/datasets/pose/): a box's line, then x y v a point.

Points have the places of their names, which are all that were ever answered, in the order in which
they were first seen; one that an object lacks is 0 0 0, one that was answered has visibility 2. The
box is the smallest around the points, a pixel at least. See yolo_folder.py for the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fits import items_of
from ..rows import Annotation, Origin
from .base import OutputLayout
from .categories import Categories
from .coco_keypoints import OBJECT, named_points
from .text import json_text
from .yolo_folder import YoloFolder, numbers, share

_MISSING, _VISIBLE = " 0 0 0", "2"
#: Numbers of a line before its points.
_BEFORE = 5


class YoloPoints(YoloFolder):
    """An object a line; points beyond the image are as good as missing."""

    #: Lines have a place for every point that was ever seen.
    joins: ClassVar[bool] = False

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._points = Categories(0)
        #: Points of the shortest line.
        self._fewest: int | None = None
        self._classes.number(OBJECT)

    def _lines(self, annotation: Annotation, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
        points = sorted(items_of(annotation.output), key=lambda point: point.object)
        for _, of_object in groupby(points, key=lambda point: point.object):
            line = self._object(list(of_object), size)
            if line:
                yield OBJECT, line

    def _object(self, points: list[Any], size: tuple[int, int]) -> str:
        width, height = size
        found = {
            self._points.number(name): (point.x, point.y)
            for name, point in named_points(points)
            if 0 <= point.x <= width and 0 <= point.y <= height
        }
        if not found:
            return ""
        x, y = (sorted(places) for places in zip(*found.values(), strict=True))
        box = [*_side(x[0], x[-1], width), *_side(y[0], y[-1], height)]
        told = [_MISSING] * len(self._points)
        for number, (across, down) in found.items():
            told[number] = f" {numbers([share(across, width), share(down, height)])} {_VISIBLE}"
        self._fewest = min(len(told), len(told) if self._fewest is None else self._fewest)
        return numbers([box[0], box[2], box[1], box[3]]) + "".join(told)

    def _more(self) -> str:
        names = [name for _, name in self._points]
        shape = f"kpt_shape: [{max(1, len(names))}, 3]\n"
        return shape + (f"kpt_names:\n  0: {json_text(names)}\n" if names else "")

    def _finish(self) -> None:
        super()._finish()
        self._index.flush()
        if self._fewest is not None and self._fewest < len(self._points):
            with (self.path / "images.jsonl").open(encoding="utf-8") as index:
                for line in index:
                    self._fill_up(self.path / json.loads(line)["file"])
        self.notes.append(
            "data.yaml has no flip_idx, since answers do not say which points are each other's "
            "mirror: Ultralytics trains without flips until you add it"
        )

    def _fill_up(self, file: Path) -> None:
        """Give each line its place for the points that were first seen later."""
        whole = _BEFORE + 3 * len(self._points)
        lines = file.read_text(encoding="ascii").splitlines()
        full = (line + _MISSING * ((whole - len(line.split())) // 3) + "\n" for line in lines)
        file.write_text("".join(full), encoding="ascii", newline="\n")


def _side(low: float, high: float, whole: int) -> tuple[float, float]:
    """The middle and the length of a side, a pixel at least."""
    if high - low < 1:
        low = max(0.0, min((low + high) / 2 - 0.5, whole - 1.0))
        high = low + 1
    first, last = share(low, whole), share(high, whole)
    return (first + last) / 2, last - first
