"""CVAT for video 1.1 (https://docs.cvat.ai/docs/dataset_management/formats/xml_format/): a folder.

    <name>.xml      a film: its labels, its size, and a track for each object
    films.jsonl     which film each file is of

What is found in a frame is a track of that frame alone, as CVAT itself writes shapes. Objects that
are followed are tracks of the boxes around their masks: CVAT reads no more than the first mask of a
track. Frames count from 0 in the whole film; `score` is an attribute.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

from ....tasks.values.rounding import number, pixels
from ..rows import Annotation, Origin, SampledFrame
from .categories import Categories
from .film_folder import Corners, FilmFolder, FollowedObject, WrittenFilm
from .fits import has_masks, items_of, label_of
from .text import ERRORS, xml_text

_OBJECT = "object"

#: Bytes copied at a time.
_CHUNK = 1 << 20


class CvatVideo(FilmFolder):
    """Boxes as the model gave them, not clipped to the frame; an empty mask is left out."""

    SUFFIX: ClassVar[str] = ".xml"

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        # The labels stand before the tracks, and are known after them.
        self._tracks: IO[str] = self._held.enter_context(
            tempfile.TemporaryFile("w+", encoding="utf-8", errors=ERRORS, newline="\n", dir=path)  # noqa: SIM115 # closed by what is held
        )
        self._labels, self._count = Categories(0), 0
        self._has_masks = has_masks(origin.task)

    def _begin(self, film: WrittenFilm) -> str:
        self._tracks.seek(0)
        self._tracks.truncate()
        self._labels, self._count = Categories(0), 0
        return film.name

    def _told(self, annotation: Annotation, frame: SampledFrame) -> list[tuple[str, str]]:
        """Labels, and what their tracks hold."""
        items = items_of(annotation.output)
        if self._has_masks:
            return [(label_of(item), shape) for item in items for shape in _mask(item, frame)]
        is_last = frame.total is not None and frame.number + 1 >= frame.total
        found = []
        for item in items:
            box = item.box
            corners = (box.xmin, box.ymin, box.xmax, box.ymax)
            shape = _box(frame.number, corners, item.score)
            end = "" if is_last else _box(frame.number + 1, corners, item.score, outside=1)
            found.append((item.label, shape + end))
        return found

    def _write_frame(self, told: list[tuple[str, str]]) -> None:
        for label, shapes in told:
            self._write_track(self._count, label, shapes)

    def _write_objects(self, film: WrittenFilm, objects: list[FollowedObject]) -> None:
        for each in objects:
            self._write_track(each.number, _OBJECT, "".join(_path(each, film.frames)))

    def _write_track(self, number: int, label: str, shapes: str) -> None:
        self._labels.number(label)
        self._tracks.write(
            f'  <track id="{number}" label={_quoted(label)} source="auto">\n{shapes}  </track>\n'
        )
        self._count += 1

    def _end(self, film: WrittenFilm) -> None:
        whole = self.path / film.name
        with whole.open("w", encoding="utf-8", errors=ERRORS, newline="\n") as file:
            file.write(_head(film, [label for _, label in self._labels]))
            self._tracks.seek(0)
            shutil.copyfileobj(self._tracks, file, _CHUNK)
            file.write("</annotations>\n")


def _head(film: WrittenFilm, labels: list[str]) -> str:
    size = ""
    if film.size:
        width, height = film.size
        size = f"<original_size><width>{width}</width><height>{height}</height></original_size>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta>\n    <task>\n      <name>{_text(film.file)}</name>\n"
        f"      <size>{film.frames}</size>\n      <mode>interpolation</mode>\n      <labels>\n"
        f"{''.join(map(_label, labels))}      </labels>\n      {size}\n"
        f"      <source>{_text(film.file)}</source>\n    </task>\n  </meta>\n"
    )


def _label(name: str) -> str:
    return (
        f"        <label><name>{_text(name)}</name><attributes><attribute><name>score</name>"
        "<mutable>True</mutable><input_type>text</input_type><default_value></default_value>"
        "<values></values></attribute></attributes></label>\n"
    )


def _path(found: FollowedObject, frames: int) -> Iterator[str]:
    """An object's boxes; the first frame without one, between or after them, is told as such.

    CVAT refuses a file that names a frame which the film lacks.
    """
    for frame, corners in sorted(found.boxes.items()):
        yield _box(frame, corners)
        if frame + 1 not in found.boxes and frame + 1 < frames:
            yield _box(frame + 1, corners, outside=1)


def _box(frame: int, corners: Corners, score: float | None = None, *, outside: int = 0) -> str:
    left, top, right, bottom = (f"{pixels(corner):.2f}" for corner in corners)
    place = f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
    return _shape("box", frame, place, score, outside)


def _mask(item: Any, frame: SampledFrame) -> Iterator[str]:
    """A mask as its runs, row by row and zeros first, in the box around it."""
    from ....tasks.values.masks import read_mask  # numpy and Pillow, for masks alone
    from ....tasks.values.rle import counts
    from .coco_instance import bounds

    mask = read_mask(item.mask)
    if mask.any():
        left, top, width, height = bounds(mask)
        runs = ", ".join(map(str, counts(mask[top : top + height, left : left + width].T)))
        place = f'rle="{runs}" left="{left}" top="{top}" width="{width}" height="{height}"'
        yield _shape("mask", frame.number, place, item.score)


def _shape(kind: str, frame: int, place: str, score: float | None, outside: int = 0) -> str:
    attribute = ""
    if score is not None:
        attribute = f'\n      <attribute name="score">{number(score) or 0.0}</attribute>\n    '
    return (
        f'    <{kind} frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {place} '
        f'z_order="0">{attribute}</{kind}>\n'
    )


def _quoted(text: str) -> str:
    return quoteattr(xml_text(text))


def _text(text: str) -> str:
    # A reader turns CR into LF, unless it is a reference.
    return escape(xml_text(text), {"\r": "&#13;"})
