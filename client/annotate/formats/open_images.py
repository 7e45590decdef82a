"""Open Images' CSV files (V5 and later; https://storage.googleapis.com/openimages/web/), a folder.

    annotations/class-descriptions.csv                      LabelName, DisplayName; without a header
    annotations/default-images-with-rotation.csv            the images
    annotations/default-annotations-bbox.csv                their boxes; or, for labels of whole
    annotations/default-annotations-machine-imagelabels.csv images, those
    images.jsonl                                            which row each ImageID is of

Our labels are their own LabelName, as others write them who have none of Google's identifiers.
Edges are shares of the image's width and height, clipped to it; `Confidence` is the score.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fits import has_boxes, items_of
from ....tasks.values.rounding import number
from ..rows import Annotation, Origin
from .base import size_of
from .categories import Categories
from .file_names import FileNames
from .held_files import HeldFiles
from .text import json_text

_LABELLED = ("ImageID", "Source", "LabelName", "Confidence")
_EDGES = ("XMin", "XMax", "YMin", "YMax")
_FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
_IMAGE = (
    *("ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL"),
    *("Author", "Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation"),
)
#: Who says so, and what is not known.
_MACHINE, _UNKNOWN = "machine", "-1"
_SUBSET = "default"


class OpenImages(HeldFiles):
    """A box without an area in the image is left out. Labels of whole images are all there."""

    names_pictures: ClassVar[bool] = True
    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("annotations", "images.jsonl")

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        self._has_boxes = has_boxes(origin.task)
        self._labels = self._grows("labels", Categories(0))
        self._index = self._stream("index", self._open(path / "images.jsonl"))
        (path / "annotations").mkdir(exist_ok=True)
        self._images = self._table("images-with-rotation", _IMAGE)
        self._found = (
            self._table("annotations-bbox", (*_LABELLED, *_EDGES, *_FLAGS))
            if self._has_boxes
            else self._table("annotations-machine-imagelabels", _LABELLED)
        )

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        found = list(self._lines(annotation))
        name = self._names.take(annotation.id)
        url = [annotation.path] + [""] * (len(_IMAGE) - 3)
        self._images.writerow([name, _SUBSET, *url])
        for item, rest in found:
            self._labels.number(item.label)
            score = number(item.score)
            self._found.writerow([name, _MACHINE, item.label, score, *rest])
        row = {"id": annotation.id, "path": annotation.path, "image_id": name}
        self._index.write(json_text(row) + "\n")

    def _lines(self, annotation: Annotation) -> Iterator[tuple[Any, list[str]]]:
        """The items, and what follows a score."""
        for item in items_of(annotation.output):
            if not self._has_boxes:
                yield item, []
                continue
            width, height = size_of(annotation)
            across = [_share(x, width) for x in (item.box.xmin, item.box.xmax)]
            down = [_share(y, height) for y in (item.box.ymin, item.box.ymax)]
            if across[0] < across[1] and down[0] < down[1]:
                edges = [f"{share:.6f}" for share in (*across, *down)]
                yield item, [*edges, *[_UNKNOWN] * len(_FLAGS)]

    def _finish(self) -> None:
        file = self._open(self.path / "annotations" / "class-descriptions.csv")
        classes = csv.writer(file, lineterminator="\n")
        classes.writerows((label, label) for _, label in self._labels)

    def _table(self, name: str, columns: tuple[str, ...]) -> Any:
        """A CSV file to write, with its header."""
        file = self._open(self.path / "annotations" / f"{_SUBSET}-{name}.csv")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        self._stream(name, file)
        return table


def _share(length: float, whole: int) -> float:
    return min(1.0, max(0.0, round(length, 2) / whole))
