"""Pascal VOC's XML (Everingham et al. 2010, the development kit's section on annotation): a folder.

    Annotations/<name>.xml            objects of an image
    ImageSets/Main/default.txt        the names, one a line; `train.txt`, `val.txt` and `test.txt`
                                      where the data set is split
    JPEGImages/<name>.<kind>          the picture, where it is asked for
    labelmap.txt                      the labels, as CVAT and Datumaro want them declared:
                                      label:colour:parts:actions
    images.jsonl                      which row each file is of

`filename` is the path below the pictures' folder, as readers put it there: names alone may be
equal. Pixels count from 1, both ends included, as in the challenge: a box that covers an image of
width w goes from 1 to w. `score` is ours; the rest are the kit's fields. Characters that XML cannot
hold become U+FFFD.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from ....tasks.annotations.fits import items_of
from ....tasks.values.rounding import number
from ..rows import Annotation, Origin
from .base import OutputLayout, size_of
from .categories import Categories
from .coco import file_name
from .file_names import FileNames
from .held_files import HeldFiles
from .labelmap import GROUND, HEAD, label_line
from .splits import TRAIN, part_of
from .text import json_text, xml_text

_PICTURES = "JPEGImages"
#: The list of all images that are in no part.
_WHOLE = "default"


class Voc(HeldFiles):
    """Boxes are clipped to the image and rounded to whole pixels, one at least."""

    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("Annotations", "ImageSets", "images.jsonl", "labelmap.txt")
    uses: ClassVar[frozenset[str]] = frozenset({"images", "split"})
    picture_names: ClassVar[tuple[str, ...]] = (_PICTURES,)

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        sets = path / "ImageSets" / "Main"
        sets.mkdir(parents=True, exist_ok=True)
        parts = (TRAIN, *self.layout.split) if self.layout.split else (_WHOLE,)
        self._listed = {
            part: self._stream(f"listed-{part}", self._open(sets / f"{part}.txt")) for part in parts
        }
        self._index = self._stream("index", self._open(path / "images.jsonl"))
        self._labels = self._grows("labels", Categories(1))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        size, pictures = size_of(annotation), self.layout.pictures
        suffix = pictures.suffix(annotation.index, annotation.id) if pictures else ""
        name = self._names.take(annotation.id, ".xml", suffix).removesuffix(".xml")
        row = {
            "id": annotation.id,
            "path": annotation.path,
            "file": f"Annotations/{name}.xml",
        }
        folder, shown = "", file_name(annotation)
        if pictures:
            folder, shown = _PICTURES, name + suffix
            row["picture"] = f"{folder}/{shown}"
            pictures.take(annotation.index, self.path / row["picture"])
        file = self.path / row["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        document = self._document(annotation, folder, shown, size)
        file.write_text(document, encoding="utf-8", newline="\n")
        split = self.layout.split
        part = part_of(annotation, split) if split else _WHOLE
        self._listed[part].write(name + "\n")
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        labels = [(number, xml_text(label)) for number, label in self._labels]
        lines = [label_line(label, number) for number, label in labels if _declared(label)]
        self._open(self.path / "labelmap.txt").writelines((HEAD, *lines))
        left = [label for _, label in labels if not _declared(label) and label != GROUND]
        if left:
            shown = f"{left[0]!r}{', ...' if len(left) > 1 else ''}"
            self.notes.append(f"labelmap.txt cannot declare {len(left):,} labels ({shown})")

    def _document(
        self, annotation: Annotation, folder: str, shown: str, size: tuple[int, int]
    ) -> str:
        for item in items_of(annotation.output):
            self._labels.number(item.label)
        objects = "".join(_object(item, size) for item in items_of(annotation.output))
        return (
            "<annotation>\n"
            f"  {_tag('folder', folder)}\n"
            f"  {_tag('filename', shown)}\n"
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


def _declared(label: str) -> bool:
    """Whether a list of labels can have it: a line of parts divided by colons, stripped."""
    is_plain = label == label.strip() and label.isprintable() and ":" not in label
    return is_plain and label != "" and not label.startswith("#") and label != GROUND


def _edges(low: float, high: float, whole: int) -> tuple[int, int]:
    """The first and last pixel of a length, counted from 1."""
    first = min(whole, max(1, round(low) + 1))
    return first, min(whole, max(first, round(high)))


def _tag(name: str, text: str) -> str:
    # A reader turns CR into LF, unless it is a reference.
    return f"<{name}>{escape(xml_text(text), {chr(13): '&#13;'})}</{name}>"
