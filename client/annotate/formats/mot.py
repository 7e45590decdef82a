"""MOTChallenge's files (Dendorfer et al. 2020; https://motchallenge.net/instructions): a folder.

    <name>/det/det.txt      what is found in frames: frame, -1, left, top, width, height, score,
                            class, -1, -1
    <name>/gt/gt.txt        objects that are followed, in its place: frame, id, left, top, width,
                            height, 1, class, 1
    <name>/*/labels.txt     the labels by class, one a line; what cannot be printed is escaped
    <name>/seqinfo.ini      the film's size, length and rate
    films.jsonl             which film each folder is of

As in the challenge all counts from 1: frames, pixels, classes, and objects, whose id is one more
than it was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ....tasks.annotations.fits import items_of
from ....tasks.values.followed import Corners, FollowedObject
from ....tasks.values.rounding import number, pixels
from ..rows import Annotation, Origin, SampledFrame
from .categories import Categories
from .film_folder import FilmFolder, WrittenFilm
from .text import ERRORS, one_line

_OBJECT = "object"


class Mot(FilmFolder):
    """Boxes as the model gave them, not clipped to the frame; a film's labels have its classes."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._kind = "gt" if self._is_tracked else "det"
        self._classes = Categories(1)
        self._lines: IO[str] | None = None
        self._held.callback(self._close)

    def _begin(self, film: WrittenFilm) -> str:
        file = f"{film.name}/{self._kind}/{self._kind}.txt"
        (self.path / file).parent.mkdir(parents=True, exist_ok=True)
        self._classes = Categories(1)
        self._lines = (self.path / file).open("w", encoding="ascii", newline="\n")
        return file

    def _told(self, annotation: Annotation, frame: SampledFrame) -> list[tuple[str, str, str]]:
        """Labels, and what stands before and behind their class."""
        found = []
        for item in items_of(annotation.output):
            box = item.box
            place = _place(frame.number, -1, (box.xmin, box.ymin, box.xmax, box.ymax))
            found.append((item.label, f"{place},{number(item.score) or 0.0}", "-1,-1"))
        return found

    def _write_frame(self, told: list[tuple[str, str, str]]) -> None:
        for label, before, behind in told:
            self._write(f"{before},{self._classes.number(label)},{behind}")

    def _write_objects(self, film: WrittenFilm, objects: Sequence[FollowedObject]) -> None:  # noqa: ARG002 # for formats that need its length
        for each in objects:
            label = self._classes.number(_OBJECT)
            for frame, corners in sorted(each.boxes.items()):
                self._write(f"{_place(frame, each.number + 1, corners)},1,{label},1")

    def _write(self, line: str) -> None:
        assert self._lines is not None
        self._lines.write(line + "\n")

    def _end(self, film: WrittenFilm) -> None:
        self._close()
        folder = self.path / film.name
        labels = "".join(one_line(label) + "\n" for _, label in self._classes)
        (folder / self._kind / "labels.txt").write_text(
            labels, encoding="utf-8", errors=ERRORS, newline="\n"
        )
        if film.size is None:
            return
        width, height = film.size
        sequence = (
            f"[Sequence]\nname={one_line(film.name)}\nimDir=img1\nframeRate={film.rate}\n"
            f"seqLength={film.frames}\nimWidth={width}\nimHeight={height}\nimExt=.jpg\n"
        )
        (folder / "seqinfo.ini").write_text(sequence, encoding="utf-8", errors=ERRORS, newline="\n")

    def _close(self) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None


def _place(frame: int, object_: int, corners: Corners) -> str:
    """Frame, object and box, counted from 1."""
    left, top, right, bottom = map(pixels, corners)
    width, height = pixels(right - left), pixels(bottom - top)
    return f"{frame + 1},{object_},{left + 1:.2f},{top + 1:.2f},{width:.2f},{height:.2f}"
