"""CVAT for video 1.1 (https://docs.cvat.ai/docs/dataset_management/formats/xml_format/): a folder.

    <name>.xml      a film: its labels, its size, and a track for each object
    films.jsonl     which film each file is of

What is found in a frame is a track of that frame alone, as CVAT itself writes shapes. Objects that
are followed are tracks of the boxes around their masks: CVAT reads no more than the first mask of a
track. Frames count from 0 in the whole film; `score` is an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ....tasks.annotations.fits import has_masks, items_of, label_of
from ....tasks.values.followed import Corners, FollowedObject
from ..rows import Annotation, Origin, SampledFrame
from .categories import Categories
from .cvat_xml import (
    box_place,
    element_text,
    label_entry,
    mask_places,
    quoted,
    score_attribute,
)
from .film_folder import FilmFolder, WrittenFilm
from .spool import copy_spooled, spool
from .text import ERRORS

_OBJECT = "object"


class CvatVideo(FilmFolder):
    """Boxes as the model gave them, not clipped to the frame; an empty mask is left out."""

    SUFFIX: ClassVar[str] = ".xml"

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        # The labels stand before the tracks, and are known after them.
        self._tracks = spool(path / "tracks", self._held)
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
            return [
                (label_of(item), _shape("mask", frame.number, place, item.score))
                for item in items
                for place in mask_places(item)
            ]
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

    def _write_objects(self, film: WrittenFilm, objects: Sequence[FollowedObject]) -> None:
        for each in objects:
            self._write_track(each.number, _OBJECT, "".join(_path(each, film.frames)))

    def _write_track(self, number: int, label: str, shapes: str) -> None:
        self._labels.number(label)
        self._tracks.write(
            f'  <track id="{number}" label={quoted(label)} source="auto">\n{shapes}  </track>\n'
        )
        self._count += 1

    def _end(self, film: WrittenFilm) -> None:
        whole = self.path / film.name
        with whole.open("w", encoding="utf-8", errors=ERRORS, newline="\n") as file:
            file.write(_head(film, [label for _, label in self._labels]))
            copy_spooled(self._tracks, file)
            file.write("</annotations>\n")


def _head(film: WrittenFilm, labels: list[str]) -> str:
    size = ""
    if film.size:
        width, height = film.size
        size = f"<original_size><width>{width}</width><height>{height}</height></original_size>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta>\n    <task>\n      <name>{element_text(film.file)}</name>\n"
        f"      <size>{film.frames}</size>\n      <mode>interpolation</mode>\n      <labels>\n"
        f"{''.join(map(label_entry, labels))}      </labels>\n      {size}\n"
        f"      <source>{element_text(film.file)}</source>\n    </task>\n  </meta>\n"
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
    return _shape("box", frame, box_place(corners), score, outside)


def _shape(kind: str, frame: int, place: str, score: float | None, outside: int = 0) -> str:
    attribute = "" if score is None else f"\n{score_attribute(score)}    "
    return (
        f'    <{kind} frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {place} '
        f'z_order="0">{attribute}</{kind}>\n'
    )
