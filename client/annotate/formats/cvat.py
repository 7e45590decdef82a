"""CVAT for images 1.1 (https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/), as a
stream.

    <annotations><version>1.1</version><meta>the labels</meta><image>...</image>...</annotations>

An image is named as below the source, which is what CVAT finds it by. Objects are boxes or masks,
keypoints are points with their object's number + 1 as `group_id`, and what the model says of a
whole image is a tag, the surest alone. `score` is an attribute of each. A mask is the run lengths,
row by row and zeros first, of the box around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fits import (
    has_boxes,
    has_keypoints,
    has_masks,
    items_of,
    label_of,
    point_of,
)
from ....tasks.base import Task
from ....tasks.values.rounding import pixels
from ..rows import Annotation, Origin
from .base import size_of
from .categories import Categories
from .coco import file_name
from .cvat_xml import box_place, element_text, label_entry, mask_places, quoted, score_attribute
from .held_files import HeldFiles
from .joining import Tally
from .spool import copy_spooled, spool

#: An element's name, its label, its other attributes, its score.
_Shape = tuple[str, str, str, float]


class Cvat(HeldFiles):
    """Boxes as the model gave them, not clipped to the image; an empty mask is left out."""

    names_pictures: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._open(path)
        self._images = self._stream("images", spool(path, self._held))
        self._labels = self._grows("labels", Categories(0))
        self._counts = self._grows("counts", Tally())
        self._shapes = _shapes_of(origin.task)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        width, height = size_of(annotation)
        shapes = list(self._shapes(items_of(annotation.output)))
        for _, label, _, _ in shapes:
            self._labels.number(label)
        self._images.write(
            f'  <image id="{annotation.index}" name={quoted(file_name(annotation))}'
            f' width="{width}" height="{height}">\n{"".join(map(_element, shapes))}  </image>\n'
        )
        self._counts["images"] += 1

    def _finish(self) -> None:
        origin = self.origin
        name = f"{origin.task.title} by {origin.model} {origin.version}".strip()
        self._file.write(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            "<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n"
            f"      <name>{element_text(name)}</name>\n"
            f"      <size>{self._counts['images']}</size>\n"
            "      <mode>annotation</mode>\n      <labels>\n"
        )
        self._file.writelines(label_entry(label) for _, label in self._labels)
        self._file.write("      </labels>\n    </task>\n  </meta>\n")
        copy_spooled(self._images, self._file)
        self._file.write("</annotations>\n")


def _shapes_of(task: Task) -> Callable[[list[Any]], Iterator[_Shape]]:
    """What makes shapes of a row's items."""
    if has_masks(task):
        return _masks
    if has_boxes(task):
        return _boxes
    return _points if has_keypoints(task) else _tags


def _boxes(items: list[Any]) -> Iterator[_Shape]:
    for item in items:
        box = item.box
        corners = (box.xmin, box.ymin, box.xmax, box.ymax)
        yield "box", item.label, box_place(corners), item.score


def _masks(items: list[Any]) -> Iterator[_Shape]:
    for item in items:
        for place in mask_places(item):
            yield "mask", label_of(item), place, item.score


def _points(items: list[Any]) -> Iterator[_Shape]:
    for item in items:
        place = f'points="{pixels(item.x):.2f},{pixels(item.y):.2f}" group_id="{item.object + 1}"'
        yield "points", point_of(item), place, item.score


def _tags(items: list[Any]) -> Iterator[_Shape]:
    for item in items[:1]:
        yield "tag", item.label, "", item.score


def _element(shape: _Shape) -> str:
    name, label, place, score = shape
    drawn = "" if name == "tag" else f' occluded="0" {place} z_order="0"'
    return (
        f'    <{name} label={quoted(label)} source="auto"{drawn}>\n'
        f"{score_attribute(score)}    </{name}>\n"
    )
