"""YOLO's classification (https://docs.ultralytics.com/datasets/classify/): pictures in a tree.

    train/<label>/<name>.<kind>   each picture, under its surest label; `val` and `test` alike
    images.jsonl                  whose each picture is, its label, its place in the tree

Pictures lie in no folder below a label's: some readers look no deeper. They take folders' names for
labels, in alphabetical order. A label that a folder cannot be called has another name there;
`images.jsonl` has it as it was answered.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ....tasks.annotations.fits import items_of
from ..rows import Annotation, Origin
from ..sources.kinds import suffix_of
from .base import OutputLayout
from .file_names import FileNames
from .held_files import HeldFiles
from .splits import OTHERS, TRAIN, part_of
from .text import json_text


class YoloTree(HeldFiles):
    """A picture a row; one without a label is left out of the tree."""

    is_folder: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("images.jsonl",)
    uses: ClassVar[frozenset[str]] = frozenset({"images", "split"})
    picture_names: ClassVar[tuple[str, ...]] = (TRAIN, *OTHERS)
    needs_pictures: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._names, self._label_names = FileNames(flat=True), FileNames(flat=True)
        self._held.callback(self._names.close)
        self._held.callback(self._label_names.close)
        self._folders: dict[str, str] = {}
        self._unlabelled = 0
        self._index = self._open(path / "images.jsonl")

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        found = items_of(annotation.output)
        row: dict[str, str | None] = {"id": annotation.id, "path": annotation.path}
        if found:
            label = max(found, key=lambda item: item.score).label
            row |= {"label": label, "picture": self._placed(annotation, label)}
        else:
            self._unlabelled += 1
            row |= {"label": None, "picture": None}
        self._index.write(json_text(row) + "\n")

    def _placed(self, annotation: Annotation, label: str) -> str:
        """Where a row's picture lies."""
        pictures, suffix = self.layout.pictures, suffix_of(annotation.id)
        if pictures:
            suffix = pictures.suffix(annotation.index, annotation.id)
        name = self._names.take(annotation.id, suffix)
        place = f"{part_of(annotation, self.layout.split)}/{self._folder(label)}/{name}"
        if pictures:
            pictures.take(annotation.index, self.path / place)
        return place

    def _folder(self, label: str) -> str:
        if label not in self._folders:
            self._folders[label] = self._label_names.take(label)
        return self._folders[label]

    def _finish(self) -> None:
        if self._unlabelled:
            self.notes.append(f"{self._unlabelled:,} without a label are not in the tree")
        if "val" not in self.layout.split:
            self.notes.append("there is no val, which Ultralytics trains with: --split val=0.1")
