"""What YOLO's folders of text files share (https://docs.ultralytics.com/datasets/detect/).

    labels/<name>.txt     a line an object, its class first; what follows is each kind's own
    images/<name>.<kind>  the picture, where pictures are asked for
    classes.txt           the labels, one a line; what cannot be printed is escaped
    data.yaml             the labels by class and where pictures lie, for training from any folder
    images.jsonl          which row each file is of

With a split names begin with their part: `labels/val/<name>.txt`. Classes count from 0 as their
labels are first seen. Scores have no place in these files.

Readers find labels by a picture's path: its last `images` is `labels`, its suffix `.txt`. Pictures
that lie in `images` get such names; where people put them there themselves, labels have the names
that rows had, and those that can have none are told.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from ..rows import Annotation, Origin
from ..sources.kinds import suffix_of
from .base import Moved, OutputLayout, size_of
from .categories import Categories
from .file_names import FileNames, stem_of
from .held_files import HeldFiles
from .joining import ReadPart, Tally
from .splits import OTHERS, TRAIN, part_of
from .text import ERRORS, clean, json_text, one_line, yaml_text

IMAGES = "images"

#: What Ultralytics reads (8.4, IMG_FORMATS); other pictures are not there for it.
READ = (
    *(".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png"),
    *(".tif", ".tiff", ".webp"),
)


class YoloFolder(HeldFiles):
    """A file of lines a row; empty where nothing was found."""

    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("labels", "classes.txt", "data.yaml", "images.jsonl")
    uses: ClassVar[frozenset[str]] = frozenset({"images", "split"})
    picture_names: ClassVar[tuple[str, ...]] = (IMAGES,)
    needs_pictures: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        has_pictures = self.layout.pictures is not None
        self._names = self._grows(
            "names", FileNames(as_here=not has_pictures, avoided=(IMAGES,) * has_pictures)
        )
        self._held.callback(self._names.close)
        self._classes = self._grows("classes", Categories(0))
        self._index = self._stream("index", self._open(path / "images.jsonl"))
        self._parts = self._grows("parts", Tally())
        self._unpaired = self._grows("unpaired", _Told())
        self._unread = self._grows("unread", _Told())

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        size = size_of(annotation)
        pictures, suffix = self.layout.pictures, ""
        if pictures:
            suffix = pictures.suffix(annotation.index, annotation.id)
        name = self._names.take(annotation.id, ".txt", suffix).removesuffix(".txt")
        self._look(annotation.id, name, suffix)
        place = self._part(annotation) + name
        file = self.path / "labels" / f"{place}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            f"{self._classes.number(label)} {rest}\n"
            for label, rest in self._lines(annotation, size)
        )
        file.write_text("".join(lines), encoding="ascii", newline="\n")
        row = {"id": annotation.id, "path": annotation.path, "file": f"labels/{place}.txt"}
        if pictures:
            row["picture"] = f"{IMAGES}/{place}{suffix}"
            pictures.take(annotation.index, self.path / row["picture"])
        self._index.write(json_text(row) + "\n")

    def join(self, read: ReadPart) -> Moved | None:
        """Go on with what another writer left; its lines have other numbers where labels have."""
        super().join(read)
        return partial(_renumbered, self._classes.moved_text) if self._classes.moved else None

    @abstractmethod
    def _lines(self, annotation: Annotation, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
        """The label of each object, and what follows its class."""

    def _more(self) -> str:
        """What `data.yaml` says beside the labels."""
        return ""

    def _part(self, annotation: Annotation) -> str:
        """The folder of a row's part of the data set; "" where it is not split."""
        if not self.layout.split:
            return ""
        part = part_of(annotation, self.layout.split)
        self._parts[part] += 1
        return part + "/"

    def _look(self, row_id: str, name: str, suffix: str) -> None:
        """Note what a reader will not find."""
        kind = suffix or suffix_of(row_id)
        stem = stem_of(row_id)
        is_file = bool(suffix) or stem != clean(row_id)
        if is_file and kind not in READ:
            self._unread.add(row_id)
        elif is_file and not suffix and (name != stem or IMAGES in stem.split("/")[:-1]):
            self._unpaired.add(row_id)

    def _finish(self) -> None:
        labels = [label for _, label in self._classes]
        classes = "".join(one_line(label) + "\n" for label in labels)
        names = "".join(f"  {n}: {yaml_text(label)}\n" for n, label in enumerate(labels))
        names = f"names:{'' if labels else ' {}'}\n{names}"
        data = f"{self._folders()}{self._more()}{names}"
        for file, text in (("classes.txt", classes), ("data.yaml", data)):
            (self.path / file).write_text(text, encoding="utf-8", errors=ERRORS, newline="\n")
        self._tell()

    def _folders(self) -> str:
        """Where the pictures of each part lie; without a `path` they are sought beside the file."""
        split = self.layout.split
        if not split:
            return f"train: {IMAGES}\nval: {IMAGES}\n"
        parts = [TRAIN, *(name for name in OTHERS if split.get(name))]
        told = "".join(f"{part}: {IMAGES}/{part}\n" for part in parts)
        # It must be there.
        return told if "val" in parts else f"{told}val: {IMAGES}/{TRAIN}\n"

    def _tell(self) -> None:
        if self._unpaired:
            self.notes.append(
                f"{self._unpaired} cannot be paired with labels by name (images.jsonl tells whose "
                f"they are); --images link or copy gives them names that can"
            )
        if self._unread:
            self.notes.append(f"{self._unread} of a kind that Ultralytics does not read")
        if self.layout.split:
            parts = (part for part in (TRAIN, *self.layout.split) if not self._parts[part])
            self.notes += [f"split: no row fell to {part}" for part in parts]


class _Told:
    """How many pictures, and one of them."""

    def __init__(self) -> None:
        self._count, self._first = 0, ""

    def add(self, row_id: str) -> None:
        self._count += 1
        self._first = self._first or row_id

    def leave(self, file: Path) -> None:
        file.write_text(json.dumps([self._count, self._first]))

    def join(self, chunks: Iterator[bytes]) -> None:
        count, first = json.loads(b"".join(chunks))
        self._count, self._first = self._count + count, self._first or first

    def __bool__(self) -> bool:
        return self._count > 0

    def __str__(self) -> str:
        pictures = "1 picture" if self._count == 1 else f"{self._count:,} pictures"
        return f"{pictures} ({self._first!r}{', ...' if self._count > 1 else ''})"


def _renumbered(numbers: Mapping[bytes, bytes], lines: bytes) -> bytes:
    """A file of lines whose classes have other numbers."""
    cut = (line.partition(b" ") for line in lines.splitlines())
    return b"".join(b"%s %s\n" % (numbers[number], rest) for number, _, rest in cut)


def share(length: float, whole: int) -> float:
    """A length as a share of the image's, within it."""
    return min(1.0, max(0.0, round(length, 2) / whole))


def numbers(shares: list[float]) -> str:
    """Shares as they stand in a line."""
    return " ".join(f"{each:.6f}" for each in shares)
