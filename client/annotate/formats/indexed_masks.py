"""One map of classes per image, in colours, as Pascal VOC has them for segmentation: a folder.

    SegmentationClass/<name>.png            a palette image: a pixel's class, 0 for none
    labelmap.txt                            label:red,green,blue:: by class, as CVAT reads it
    ImageSets/Segmentation/default.txt      the names, one a line
    images.jsonl                            which row each file is of

Classes count from 1 as their labels are first seen; `background` is 0, and 255 stays free: in VOC
it marks edges. The colours are those of the challenge's development kit. A pixel is the surest
segment's that claims it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from ....protocol.errors import RowError
from ....tasks.annotations.fits import items_of
from ..rows import Annotation, Origin
from .base import size_of
from .categories import Categories
from .file_names import FileNames
from .held_files import HeldFiles
from .labelmap import GROUND, HEAD, label_colour, label_line
from .painted import painted
from .text import json_text, one_line

#: The last class.
_MOST = 254
#: zlib's level.
_LEVEL = 4


class IndexedMasks(HeldFiles):
    """Segments of one label are one class, of 254 at most in all."""

    is_folder: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = (
        *("SegmentationClass", "labelmap.txt", "ImageSets", "images.jsonl"),
    )

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = FileNames()
        self._held.callback(self._names.close)
        self._classes = Categories(0)
        self._classes.number(GROUND)
        self._palette = [part for index in range(256) for part in label_colour(index)]
        names = path / "ImageSets" / "Segmentation" / "default.txt"
        names.parent.mkdir(parents=True, exist_ok=True)
        self._listed = self._open(names)
        self._index = self._open(path / "images.jsonl")

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        items = items_of(annotation.output)
        shown = painted(items, size_of(annotation))
        self._refuse_more({item.label for item in items})
        numbers = np.array([0, *(self._classes.number(item.label) for item in items)])
        name = self._names.take(annotation.id, ".png")
        file = self.path / "SegmentationClass" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(numbers[shown].astype(np.uint8))
        image.putpalette(self._palette)
        image.save(file, "PNG", compress_level=_LEVEL)
        self._listed.write(name.removesuffix(".png") + "\n")
        row = {"id": annotation.id, "path": annotation.path, "file": f"SegmentationClass/{name}"}
        self._index.write(json_text(row) + "\n")

    def _refuse_more(self, labels: set[str]) -> None:
        known = {label for _, label in self._classes}
        if len(known | labels) > _MOST + 1:
            raise RowError(f"more than {_MOST} classes in all; semantic-masks has room for them")

    def _finish(self) -> None:
        _, *labels = self._classes
        lines = (label_line(_field(label), number) for number, label in labels)
        self._open(self.path / "labelmap.txt").writelines((HEAD, *lines))


def _field(label: str) -> str:
    r"""A label as a line's first field: what would divide it is escaped, `:` as \x3a."""
    escaped = one_line(label).replace(":", r"\x3a")
    return r"\x23" + escaped[1:] if escaped.startswith("#") else escaped
