"""COCO keypoints: x, y and visibility of each named point, per object.

The names are all that were ever answered, in the order in which they were first seen; an object
without one of them has 0, 0, 0 in its place. A point that was answered has visibility 2.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from ....tasks.annotations.fits import items_of
from ....tasks.values.rounding import number, pixels
from ..rows import Annotation, Origin
from .categories import Categories
from .coco import Coco, image_id
from .json_document import write_entries

#: The one category: answers do not say what the object is.
OBJECT = "object"
_VISIBLE = 2


class CocoKeypoints(Coco):
    """An annotation per object; its score is the mean of its points'."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._points = Categories(0)
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

    def _write_annotations(self) -> None:
        write_entries(self._file, map(self._whole, self._annotations.lines()))

    def _whole(self, line: str) -> dict[str, Any]:
        entry: dict[str, Any] = json.loads(line)
        places, found = [0] * (3 * len(self._points)), entry["keypoints"]
        for at in range(0, len(found), 3):
            place = 3 * found[at]
            places[place : place + 3] = [*found[at + 1 : at + 3], _VISIBLE]
        return {**entry, "keypoints": places}


def named_points(points: list[Any]) -> Iterator[tuple[str, Any]]:
    """An object's points with names that differ; points of interest have no label."""
    seen: Counter[str] = Counter()
    for point in points:
        seen[point.label] += 1
        name, count = point.label or "point", seen[point.label]
        yield name if count == 1 else f"{name}_{count}", point
