"""One map of classes per image: a folder.

    masks/<name>.png    grey, 8 bits, or 16 where the image has a class beyond 255: a pixel's class,
                        0 for none
    classes.json        the labels by class
    images.jsonl        which row each file is of

Classes count from 1 as their labels are first seen. A pixel is the surest segment's that claims it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from ....tasks.annotations.fits import items_of
from ..rows import Annotation, Origin
from .base import size_of
from .categories import Categories
from .file_names import FileNames
from .held_files import HeldFiles
from .painted import painted
from .text import json_text

#: zlib's level.
_LEVEL = 4


class SemanticMasks(HeldFiles):
    """Segments of one label are one class."""

    is_folder: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = FileNames()
        self._held.callback(self._names.close)
        self._classes = Categories(1)
        self._index = self._open(path / "images.jsonl")

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        items = items_of(annotation.output)
        numbers = np.array([0, *(self._classes.number(item.label) for item in items)])
        classes = numbers[painted(items, size_of(annotation))]
        name = self._names.take(annotation.id, ".png")
        file = self.path / "masks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        depth = np.uint8 if classes.max(initial=0) < 256 else np.uint16
        Image.fromarray(classes.astype(depth)).save(file, "PNG", compress_level=_LEVEL)
        row = {"id": annotation.id, "path": annotation.path, "file": f"masks/{name}"}
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        classes = {str(number): label for number, label in self._classes}
        self._open(self.path / "classes.json").write(json_text(classes) + "\n")
