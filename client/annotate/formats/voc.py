"""Pascal VOC's XML (Everingham et al. 2010, the development kit's section on annotation): a folder.

    Annotations/<name>.xml            objects of an image
    ImageSets/Main/default.txt        the names, one a line
    images.jsonl                      which row each file is of

Pixels count from 1, both ends included, as in the challenge: a box that covers an image of width w
goes from 1 to w. `score` is ours; the rest are the kit's fields. Characters that XML cannot hold
become U+FFFD.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from ....tasks.values.rounding import number
from ..rows import Annotation, Origin
from .base import size_of
from .coco import file_name
from .file_names import FileNames
from .fits import items_of
from .held_files import HeldFiles
from .text import json_text, xml_text


class Voc(HeldFiles):
    """Boxes are clipped to the image and rounded to whole pixels, one at least."""

    is_folder: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("Annotations", "ImageSets", "images.jsonl")

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = FileNames()
        self._held.callback(self._names.close)
        names = path / "ImageSets" / "Main" / "default.txt"
        names.parent.mkdir(parents=True, exist_ok=True)
        self._listed = self._open(names)
        self._index = self._open(path / "images.jsonl")

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        document = self._document(annotation)
        name = self._names.take(annotation.id, ".xml")
        file = self.path / "Annotations" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document, encoding="utf-8", newline="\n")
        self._listed.write(name.removesuffix(".xml") + "\n")
        row = {"id": annotation.id, "path": annotation.path, "file": f"Annotations/{name}"}
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        pass

    def _document(self, annotation: Annotation) -> str:
        folder, _, name = file_name(annotation).rpartition("/")
        size = size_of(annotation)
        objects = "".join(_object(item, size) for item in items_of(annotation.output))
        return (
            "<annotation>\n"
            f"  {_tag('folder', folder)}\n"
            f"  {_tag('filename', name)}\n"
            f"  {_tag('path', annotation.path)}\n"
            f"  <source>{_tag('database', self.origin.source)}"
            f"{_tag('annotation', f'{self.origin.model} {self.origin.version}'.strip())}</source>\n"
            f"  <size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n"
            "  <segmented>0</segmented>\n"
            f"{objects}</annotation>\n"
        )


def _object(item: Any, size: tuple[int, int]) -> str:
    xmin, xmax = _edges(item.box.xmin, item.box.xmax, size[0])
    ymin, ymax = _edges(item.box.ymin, item.box.ymax, size[1])
    return (
        "  <object>\n"
        f"    {_tag('name', item.label)}\n"
        "    <pose>Unspecified</pose>\n"
        "    <truncated>0</truncated>\n"
        "    <difficult>0</difficult>\n"
        f"    <bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>\n"
        f"    <score>{number(item.score) or 0.0}</score>\n"
        "  </object>\n"
    )


def _edges(low: float, high: float, whole: int) -> tuple[int, int]:
    """The first and last pixel of a length, counted from 1."""
    first = min(whole, max(1, round(low) + 1))
    return first, min(whole, max(first, round(high)))


def _tag(name: str, text: str) -> str:
    # A reader turns CR into LF, unless it is a reference.
    return f"<{name}>{escape(xml_text(text), {chr(13): '&#13;'})}</{name}>"
