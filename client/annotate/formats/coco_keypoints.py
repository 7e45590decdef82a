"""COCO keypoints: x, y and visibility of each named point, per object.

The names are all that were ever answered, in the order in which they were first seen; an object
without one of them has 0, 0, 0 in its place. A point that was answered has visibility 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, AnyStr

from ....tasks.annotations.fits import items_of
from ....tasks.values.rounding import number, pixels
from ..rows import Annotation, Origin
from .categories import Categories
from .coco import Coco, image_id

#: The one category: answers do not say what the object is.
OBJECT = "object"
_VISIBLE = "2"
#: How an annotation's points are told.
_PLACES = '"keypoints":['


class CocoKeypoints(Coco):
    """An annotation per object; its score is the mean of its points'."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._points = self._grows("points", Categories(0))
        self._categories.number(OBJECT)

    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        points = sorted(items_of(annotation.output), key=lambda point: point.object)
        for _, of_object in groupby(points, key=lambda point: point.object):
            yield self._object(image_id(annotation), list(of_object))

    def _object(self, image: int, points: list[Any]) -> dict[str, Any]:
        places = []
        for name, point in named_points(points):
            places += [self._points.number(name), pixels(point.x), pixels(point.y)]
        across, down = places[1::3], places[2::3]
        width, height = pixels(max(across) - min(across)), pixels(max(down) - min(down))
        return {
            "id": self._next_id,
            "image_id": image,
            "category_id": 1,
            "keypoints": places,  # number, x, y until all names are known
            "num_keypoints": len(points),
            "bbox": [min(across), min(down), width, height],
            "area": pixels(width * height),
            "iscrowd": 0,
            "score": number(sum(point.score for point in points) / len(points)),
        }

    def _category(self, number: int, label: str) -> dict[str, Any]:
        names = [name for _, name in self._points]
        return {**super()._category(number, label), "keypoints": names, "skeleton": []}

    def _renumbered(self, lines: list[bytes], first: int) -> Iterator[bytes]:
        numbers = self._points.moved_text
        for line in super()._renumbered(lines, first):
            if not numbers:
                yield line
                continue
            head, found, tail = _places(line, _PLACES.encode(), b"]", b",")
            found[::3] = [numbers[number] for number in found[::3]]
            yield head + b",".join(found) + tail

    def _write_annotations(self) -> None:
        for count, line in enumerate(self._annotations.lines()):
            self._file.write((",\n" if count else "\n") + self._whole(line))

    def _whole(self, line: str) -> str:
        head, found, tail = _places(line, _PLACES, "]", ",")
        places = ["0"] * (3 * len(self._points))
        for found_at, x, y in zip(found[::3], found[1::3], found[2::3], strict=True):
            place = 3 * int(found_at)
            places[place : place + 3] = (x, y, _VISIBLE)
        return head + ",".join(places) + tail


def _places(
    line: AnyStr, begin: AnyStr, end: AnyStr, between: AnyStr
) -> tuple[AnyStr, list[AnyStr], AnyStr]:
    """The numbers of an entry's points, and what is before and behind them."""
    head, _, rest = line.partition(begin)
    found, _, tail = rest.partition(end)
    return head + begin, found.split(between), end + tail  # pyright: ignore[reportReturnType]


def named_points(points: list[Any]) -> Iterator[tuple[str, Any]]:
    """An object's points with names that differ; points of interest have no label."""
    seen: Counter[str] = Counter()
    for point in points:
        seen[point.label] += 1
        name, count = point.label or "point", seen[point.label]
        yield name if count == 1 else f"{name}_{count}", point
