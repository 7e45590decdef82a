"""COCO's JSON (Lin et al. 2014; https://cocodataset.org/#format-data), as a stream.

    {"info": ..., "licenses": [], "images": [...], "categories": [...], "annotations": [...]}

`images` has every row, in order, with `id` = its number in the source + 1; `info.wherry` says what
made the annotations. Categories are numbered from 1 as their labels are first seen. Annotations
have a `score` beside COCO's own fields, so that the list serves `COCO.loadRes` as it is.

Where images are frames of films, `videos` has the films, and each image its `video_id`, its
`frame_id`, which counts the film's frames from 0, and its `time` in seconds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.boxes import BoundingBox
from ....tasks.values.rounding import pixels
from ..rows import Annotation, Origin, SampledFrame
from .base import size_of
from .categories import Categories
from .held_files import HeldFiles
from .json_document import GrowingArray, write_entries
from .spool import spool
from .text import json_text

#: How an annotation's category is told, in its third field.
CATEGORY = b'"category_id":'


class Coco(HeldFiles):
    """What all of COCO's kinds share; each adds its annotations."""

    names_pictures: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    #: The document's name in its folder, where there is one.
    DOCUMENT: ClassVar[str] = ""
    #: Whether its annotations have a category; pycocotools takes the list for a sign of it.
    HAS_CATEGORIES: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        document = path / self.DOCUMENT if self.is_folder else path
        self._file = self._open(document)
        self._file.write(f'{{"info":{json_text(info(origin))},\n"licenses":[],\n"images":[')
        self._categories = self._grows("categories", Categories(1))
        self._images = self._grows("images", GrowingArray(self._file))
        self._annotations = self._grows(
            "annotations", GrowingArray(spool(document, self._held), self._renumbered)
        )
        # A list of ten thousand films waits on disk, too.
        self._films = GrowingArray(spool(document, self._held))
        self._film = ""

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        image = _image(annotation)
        for entry in self._annotate(annotation):
            self._annotations.add(entry)
        image |= self._of_film(annotation.frame, image)
        self._images.add(image)

    def _of_film(self, frame: SampledFrame | None, image: dict[str, Any]) -> dict[str, Any]:
        """What an image's entry has of its film, whose frames follow each other."""
        if frame is None or frame.time_s is None:
            return {}
        if frame.file != self._film:
            self._film = frame.file
            size = {name: image[name] for name in ("width", "height")}
            self._films.add({"id": self._films.count + 1, "name": frame.file, **size})
        return {"video_id": self._films.count, "frame_id": frame.number, "time": frame.time_s}

    @abstractmethod
    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        """The row's entries of `annotations`."""

    def _category(self, number: int, label: str) -> dict[str, Any]:
        """The entry of `categories` of a label."""
        return {"id": number, "name": label, "supercategory": ""}

    def _finish(self) -> None:
        if self._films.count:
            self._file.write('\n],\n"videos":[')
            self._films.copy_to(self._file)
        if self.HAS_CATEGORIES:
            self._file.write('\n],\n"categories":[')
            write_entries(self._file, (self._category(*each) for each in self._categories))
        self._file.write('\n],\n"annotations":[')
        self._write_annotations()
        self._file.write("\n]}\n")

    def _write_annotations(self) -> None:
        self._annotations.copy_to(self._file)

    def _renumbered(self, lines: list[bytes], first: int) -> Iterable[bytes]:
        """The annotations of a part, with the numbers that they have in the whole."""
        numbers = self._categories.moved_text
        for number, line in enumerate(lines, start=first + 1):
            _, image, category, rest = line.split(b",", 3)
            if numbers:
                category = CATEGORY + numbers[category[len(CATEGORY) :]]
            yield b'{"id":%d,%s,%s,%s' % (number, image, category, rest)

    @property
    def _next_id(self) -> int:
        """The id of the next annotation; pycocotools takes 0 for none."""
        return self._annotations.count + 1


def image_id(annotation: Annotation) -> int:
    """COCO's number of a row."""
    return annotation.index + 1


def file_name(annotation: Annotation) -> str:
    """Where the image is: below the source, where its id says so; of a part of a file its id."""
    path, row_id = annotation.path, annotation.id
    if annotation.frame:
        return row_id
    is_below = not path or path == row_id or path.endswith("/" + row_id)
    return row_id if is_below else path


def bbox(box: BoundingBox) -> list[float]:
    """Left, top, width, height in pixels."""
    left, top, right, bottom = map(pixels, (box.xmin, box.ymin, box.xmax, box.ymax))
    return [left, top, pixels(right - left), pixels(bottom - top)]


def info(origin: Origin) -> dict[str, Any]:
    """What made the annotations; without a date, so that the same run makes the same bytes."""
    return {
        "description": f"{origin.task.title} by {origin.model}",
        "version": origin.version,
        "wherry": origin_of(origin),
    }


def origin_of(origin: Origin) -> dict[str, Any]:
    """What made the annotations, as JSON."""
    return {
        "task": origin.task.name,
        "model": origin.model,
        "version": origin.version,
        "parameters": dict(origin.parameters),
        "source": origin.source,
    }


def _image(annotation: Annotation) -> dict[str, Any]:
    width, height = size_of(annotation)
    return {
        "id": image_id(annotation),
        "file_name": file_name(annotation),
        "width": width,
        "height": height,
        "wherry_id": annotation.id,
    }
