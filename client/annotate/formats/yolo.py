"""YOLO's text files (https://docs.ultralytics.com/datasets/detect/ and .../segment/): a folder.

    labels/<name>.txt   a line an object: class, then centre x, centre y, width, height; for masks
                        a polygon x1 y1 x2 y2 ...; all as shares of the image's width and height
    classes.txt         the labels, one a line; what cannot be printed is escaped
    data.yaml           the labels by class, for training; `images` is to lie beside `labels`
    images.jsonl        which row each file is of

Classes count from 0 as their labels are first seen. Scores have no place in these files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ..rows import Annotation, Origin
from .base import size_of
from .categories import Categories
from .file_names import FileNames
from .fits import has_masks, items_of, label_of
from .held_files import HeldFiles
from .text import ERRORS, json_text, one_line, yaml_text


class Yolo(HeldFiles):
    """Boxes are clipped to the image; one that has no area in it is left out."""

    is_folder: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("labels", "classes.txt", "data.yaml", "images.jsonl")

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = FileNames()
        self._held.callback(self._names.close)
        self._classes = Categories(0)
        self._index = self._open(path / "images.jsonl")
        self._lines = _polygon_lines if has_masks(origin.task) else _box_lines

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        size = size_of(annotation)
        name = self._names.take(annotation.id, ".txt")
        file = self.path / "labels" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"{self._classes.number(label)} {numbers}\n"
            for label, numbers in self._lines(items_of(annotation.output), size)
        ]
        file.write_text("".join(lines), encoding="ascii", newline="\n")
        row = {"id": annotation.id, "path": annotation.path, "file": f"labels/{name}"}
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        labels = [label for _, label in self._classes]
        classes = "".join(one_line(label) + "\n" for label in labels)
        names = "".join(f"  {n}: {yaml_text(label)}\n" for n, label in enumerate(labels))
        data = f"path: .\ntrain: images\nval: images\nnames:{'' if labels else ' {}'}\n{names}"
        for file, text in (("classes.txt", classes), ("data.yaml", data)):
            (self.path / file).write_text(text, encoding="utf-8", errors=ERRORS, newline="\n")


def _box_lines(items: list[Any], size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    width, height = size
    for item in items:
        left, right = (_share(x, width) for x in (item.box.xmin, item.box.xmax))
        top, bottom = (_share(y, height) for y in (item.box.ymin, item.box.ymax))
        if left < right and top < bottom:
            yield (
                item.label,
                _numbers([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]),
            )


def _polygon_lines(items: list[Any], _: tuple[int, int]) -> Iterator[tuple[str, str]]:
    from ....tasks.values.masks import read_mask  # numpy and Pillow, for masks alone
    from ....tasks.values.polygons import polygon

    for item in items:
        mask = read_mask(item.mask)
        corners = polygon(mask)
        if corners:
            height, width = mask.shape
            shares = [share for x, y in corners for share in (x / width, y / height)]
            yield label_of(item), _numbers(shares)


def _share(length: float, whole: int) -> float:
    return min(1.0, max(0.0, round(length, 2) / whole))


def _numbers(shares: list[float]) -> str:
    return " ".join(f"{share:.6f}" for share in shares)
