"""Datumaro's JSON (https://open-edge-platform.github.io/datumaro/), as a stream: a folder.

    annotations/default.json    infos, categories, and an item a row

An image is to be at `images/default/<its path>`. Boxes are [left, top, width, height]; masks are
COCO's compressed run lengths; keypoints are points, those of an object of one group; what the model
says of a whole image is a label, the surest alone, or a caption. `score` is an attribute of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
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
from .categories import Categories
from .coco import bbox, file_name, info
from .file_names import FileNames
from .held_files import HeldFiles
from .json_document import GrowingArray, renumbered
from .records import record_of
from .spool import spool
from .text import json_text

#: Datumaro's number of still images.
_IMAGE = 2
#: Its number of a point that is seen.
_VISIBLE = 2

#: How an annotation's label is told.
_LABEL = b'"label_id":'

#: An annotation without its label's number, and its label; None for one without.
_Entry = tuple[dict[str, Any], str | None]


class Datumaro(HeldFiles):
    """Boxes as the model gave them, not clipped to the image; an empty mask is left out."""

    names_pictures: ClassVar[bool] = True
    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("annotations",)

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        document = path / "annotations" / "default.json"
        document.parent.mkdir(exist_ok=True)
        self._file = self._open(document)
        self._labels = self._grows("labels", Categories(0))
        self._items = self._grows(
            "items", GrowingArray(spool(document, self._held), self._renumbered)
        )
        self._entries = _entries_of(origin.task)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        width, height = size_of(annotation)
        found = list(self._entries(annotation))
        name = self._names.take(annotation.id)
        self._items.add(
            {
                "id": name,
                "annotations": [self._annotation(*entry) for entry in found],
                "attr": {"wherry_id": annotation.id},
                "image": {"path": _path(annotation, name), "size": [height, width]},
            }
        )

    def _annotation(self, entry: dict[str, Any], label: str | None) -> dict[str, Any]:
        common = {"id": 0, "group": 0, "object_id": -1, "attributes": {}, **entry}
        return common if label is None else {**common, "label_id": self._labels.number(label)}

    def _renumbered(self, lines: list[bytes], _first: int) -> Iterable[bytes]:
        """The items of a part, with the numbers that labels have in the whole."""
        if not self._labels.moved:
            return lines
        numbers = self._labels.moved_text
        return (renumbered(line, _LABEL, numbers) for line in lines)

    def _finish(self) -> None:
        labels = [{"name": label, "parent": "", "attributes": []} for _, label in self._labels]
        head = {
            "dm_format_version": "1.0",
            "media_type": _IMAGE,
            "infos": info(self.origin),
            "categories": {"label": {"labels": labels, "label_groups": [], "attributes": []}},
        }
        self._file.write(json_text(head).removesuffix("}") + ',\n"items":[')
        self._items.copy_to(self._file)
        self._file.write("\n]}\n")


def _entries_of(task: Task) -> Callable[[Annotation], Iterator[_Entry]]:
    """What makes annotations of a row."""
    if has_masks(task):
        return _masks
    if has_boxes(task):
        return _boxes
    if has_keypoints(task):
        return _points
    return _labels if has_labels(task) else lambda annotation: _captions(annotation, task)


def _boxes(annotation: Annotation) -> Iterator[_Entry]:
    for item in items_of(annotation.output):
        place = {"bbox": bbox(item.box), "z_order": 0}
        yield {"type": "bbox", "attributes": _scored(item), **place}, item.label


def _masks(annotation: Annotation) -> Iterator[_Entry]:
    from ....tasks.values.masks import read_mask  # numpy and Pillow, for masks alone
    from ....tasks.values.rle import encode_compressed

    for item in items_of(annotation.output):
        mask = read_mask(item.mask)
        if mask.any():
            runs = {"size": list(mask.shape), "counts": encode_compressed(mask)}
            place = {"rle": runs, "z_order": 0}
            yield {"type": "mask", "attributes": _scored(item), **place}, label_of(item)


def _points(annotation: Annotation) -> Iterator[_Entry]:
    for item in items_of(annotation.output):
        place = {"points": [pixels(item.x), pixels(item.y)], "visibility": [_VISIBLE]}
        of = {"group": item.object + 1, "z_order": 0, "attributes": _scored(item)}
        yield {"type": "points", **place, **of}, point_of(item)


def _labels(annotation: Annotation) -> Iterator[_Entry]:
    for item in items_of(annotation.output)[:1]:
        yield {"type": "label", "attributes": _scored(item)}, item.label


def _captions(annotation: Annotation, task: Task) -> Iterator[_Entry]:
    caption = record_of(annotation, task)["text"]
    if caption:
        yield {"type": "caption", "caption": caption}, None


def _scored(item: Any) -> dict[str, Any]:
    return {"score": number(item.score)}


def _path(annotation: Annotation, name: str) -> str:
    """Where the image is below the images' folder; one that is elsewhere is called as its item."""
    path = file_name(annotation)
    parts = PurePosixPath(path)
    is_elsewhere = parts.is_absolute() or PureWindowsPath(path).is_absolute() or "://" in path
    return name + parts.suffix if is_elsewhere or ".." in parts.parts else path
