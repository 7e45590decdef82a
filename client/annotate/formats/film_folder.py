"""Folders that have something of each film, one film after the other.

Rows are frames, and those of a film follow each other, or a row is a film and its objects. A
picture that is a row is a film of one frame. `films.jsonl` tells what is of which film.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fits import is_tracked
from ....tasks.values.followed import FollowedFilm, FollowedObject, followed
from ..rows import Annotation, Origin, SampledFrame
from .base import size_of
from .file_names import FileNames
from .held_files import HeldFiles
from .text import json_text


@dataclass(slots=True)
class WrittenFilm:
    """The film that is written, as far as its rows have come."""

    #: As rows' ids name it.
    file: str
    #: Its file or folder in the output.
    name: str
    #: Width and height of a frame, in pixels; None where no mask tells.
    size: tuple[int, int] | None
    #: Of its rows, or of what was answered in its one row.
    first: SampledFrame
    last: SampledFrame

    @property
    def frames(self) -> int:
        """How many it has, as far as that is known."""
        return self.last.total or self.last.number + 1

    @property
    def rate(self) -> int:
        """Frames a second, in the mean; 1 where nothing tells."""
        seconds = (self.last.time_s or 0.0) - (self.first.time_s or 0.0)
        count = self.last.number - self.first.number
        return max(1, round(count / seconds)) if seconds > 0 else 1


class FilmFolder(HeldFiles):
    """What formats of films share; each writes its films' files."""

    is_folder: ClassVar[bool] = True
    of_films: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    #: What ends the name of a film's file; "" where it has a folder.
    SUFFIX: ClassVar[str] = ""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        index = path / self._names.take_own("films.jsonl")
        self._index = self._stream("index", self._open(index))
        self._is_tracked = is_tracked(origin.task)
        self._film: WrittenFilm | None = None

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        if self._is_tracked:
            told = followed(annotation.output)
            film = self._turn_to(annotation, _last(told), told.size)
            self._write_objects(film, told.objects)
            return
        frame = annotation.frame or SampledFrame(annotation.id, 0, 1)
        size, found = size_of(annotation), self._told(annotation, frame)
        self._turn_to(annotation, frame, size)
        self._write_frame(found)

    def _turn_to(
        self, annotation: Annotation, frame: SampledFrame, size: tuple[int, int] | None
    ) -> WrittenFilm:
        """Have the row's film be the one that is written."""
        film = self._film
        if film is not None and film.file == frame.file and not self._is_tracked:
            film.last = frame
            return film
        self._end_film()
        file = annotation.id if self._is_tracked else frame.file
        name = self._names.take(file, self.SUFFIX)
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        first = SampledFrame("", 0, None, 0.0) if self._is_tracked else frame
        film = self._film = WrittenFilm(file, name, size, first, frame)
        row = {"file": file, "path": annotation.path, "annotations": self._begin(film)}
        self._index.write(json_text(row) + "\n")
        return film

    def leave(self, folder: Path) -> None:
        """Write what it has come to: its films are whole."""
        self._end_film()
        super().leave(folder)

    def _finish(self) -> None:
        self._end_film()

    def _end_film(self) -> None:
        if self._film is not None:
            self._end(self._film)
            self._film = None

    @abstractmethod
    def _begin(self, film: WrittenFilm) -> str:
        """Begin a film's files. Answers what they are in the folder."""

    @abstractmethod
    def _told(self, annotation: Annotation, frame: SampledFrame) -> Any:
        """A frame's objects as the format has them. Raises RowError."""

    @abstractmethod
    def _write_frame(self, told: Any) -> None:
        """Write what was told of a frame."""

    @abstractmethod
    def _write_objects(self, film: WrittenFilm, objects: Sequence[FollowedObject]) -> None:
        """Write the objects that were followed through a film."""

    @abstractmethod
    def _end(self, film: WrittenFilm) -> None:
        """Make a film's files whole."""


def _last(film: FollowedFilm) -> SampledFrame:
    """The last frame of a film whose row is the whole of it."""
    if not film.times:
        return SampledFrame("", 0, None)
    number = max(film.times)
    return SampledFrame("", number, None, film.times[number])
