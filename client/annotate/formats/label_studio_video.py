"""Label Studio's predictions of films: a folder.

    <name>.json     a film: a list to import, of one task
    films.jsonl     which film each file is of

What is found in a frame is a rectangle of that frame alone; objects that are followed are boxes
around their masks, keyframe by keyframe. What frames are labelled as are stretches: a label holds
until a frame has another. tasks/label_studio/film_results.py writes the results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from ....tasks.annotations.fits import has_labels, items_of
from ....tasks.label_studio.film_results import (
    FOLLOWED,
    FilmLength,
    rectangle_through,
    scored,
    stretch,
)
from ....tasks.label_studio.import_tasks import shown_path
from ....tasks.label_studio.results import Result
from ....tasks.values.followed import Corners, FollowedObject
from ....tasks.values.rounding import number
from ..rows import Annotation, Origin, SampledFrame
from .base import OutputLayout
from .film_folder import FilmFolder, WrittenFilm
from .spool import spool
from .text import ERRORS, clean, json_text


class _Stretch(NamedTuple):
    """Frames of one label, as far as they have come."""

    label: str
    first: int
    scores: float
    frames: int


class LabelStudioVideo(FilmFolder):
    """Boxes within the frame; of labels the surest."""

    SUFFIX: ClassVar[str] = ".json"
    uses: ClassVar[frozenset[str]] = frozenset({"media_prefix"})

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin)
        self.layout = layout or self.layout
        # Each result tells the film's length, which is known after all of them.
        self._found = spool(path / "found", self._held)
        self._has_labels = has_labels(origin.task)
        self._version = ":".join(filter(None, (origin.model, origin.version)))
        self._row: Annotation | None = None
        self._shown, self._scores, self._scored = "", 0.0, 0
        self._stretch: _Stretch | None = None

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        self._row = annotation
        super().write(annotation)

    def _begin(self, film: WrittenFilm) -> str:
        assert self._row is not None
        self._found.seek(0)
        self._found.truncate()
        self._stretch, self._scores, self._scored = None, 0.0, 0
        below = clean(film.file).lstrip("/")
        path = self._row.path or film.file
        self._shown = shown_path(path, below, self.layout.media_prefix)
        return film.name

    def _told(self, annotation: Annotation, frame: SampledFrame) -> tuple[int, list[Any]]:
        """The frame's number, and what was found in it: labels, scores, boxes."""
        items = items_of(annotation.output)
        if self._has_labels:
            return frame.number, [(item.label, number(item.score) or 0.0) for item in items[:1]]
        return frame.number, [
            (item.label, number(item.score) or 0.0, _corners(item.box)) for item in items
        ]

    def _write_frame(self, told: tuple[int, list[Any]]) -> None:
        frame, found = told
        if self._has_labels:
            self._go_on(frame, found)
            return
        for label, score, corners in found:
            self._keep(label, score, {frame: corners})

    def _go_on(self, frame: int, found: list[tuple[str, float]]) -> None:
        """Have the stretch of a label go on, or another begin; none where nothing was said."""
        kept = self._stretch
        label, score = found[0] if found else ("", 0.0)
        if kept is not None and kept.label == label:
            self._stretch = kept._replace(scores=kept.scores + score, frames=kept.frames + 1)
            return
        self._end_stretch(frame)
        self._stretch = _Stretch(label, frame, score, 1) if found else None

    def _end_stretch(self, before: int) -> None:
        if (kept := self._stretch) is not None:
            self._keep(kept.label, kept.scores / kept.frames, [kept.first, before])

    def _write_objects(
        self,
        film: WrittenFilm,  # noqa: ARG002 # as the base says
        objects: Sequence[FollowedObject],
    ) -> None:
        for each in objects:
            if each.boxes:
                self._keep(FOLLOWED, None, each.boxes)

    def _keep(self, label: str, score: float | None, where: dict[int, Corners] | list[int]) -> None:
        if score is not None:
            self._scores, self._scored = self._scores + score, self._scored + 1
        self._found.write(json_text([label, score, where]) + "\n")

    def _end(self, film: WrittenFilm) -> None:
        self._end_stretch(film.frames)
        self._stretch = None
        data = {"video": self._shown, "wherry_id": film.file}
        mean = number(self._scores / self._scored) if self._scored else None
        prediction = {"model_version": self._version, "score": mean or 0.0}
        head = json_text({"data": data, "predictions": [prediction]})
        whole = self.path / film.name
        with whole.open("w", encoding="utf-8", errors=ERRORS, newline="\n") as file:
            file.write("[" + head.removesuffix("}]}") + ', "result": [')
            for place, result in enumerate(self._results(film)):
                named = {"id": str(place), "to_name": "video", **result}
                file.write((",\n" if place else "\n") + json_text(named))
            file.write("]}]}]\n")

    def _results(self, film: WrittenFilm) -> Iterator[Result]:
        length = FilmLength(film.frames, _rate(film))
        self._found.flush()
        self._found.seek(0)
        for line in self._found:
            label, score, where = json.loads(line)  # pydantic's takes no half of a pair of UTF-16
            if isinstance(where, list):
                yield scored(stretch(where[0], where[1], label), score)
                continue
            boxes = {int(frame): corners for frame, corners in where.items()}
            assert film.size is not None  # there is a box
            yield scored(rectangle_through(boxes, label, film.size, length), score)


def _corners(box: Any) -> Corners:
    """A box's corners; 0 for what is no number."""
    left, top, right, bottom = (
        side if math.isfinite(side) else 0.0 for side in (box.xmin, box.ymin, box.xmax, box.ymax)
    )
    return left, top, right, bottom


def _rate(film: WrittenFilm) -> float:
    """Frames a second, in the mean; 1 where nothing tells."""
    seconds = (film.last.time_s or 0.0) - (film.first.time_s or 0.0)
    count = film.last.number - film.first.number
    return count / seconds if seconds > 0 and count > 0 else 1.0
