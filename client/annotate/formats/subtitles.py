"""A file of cues for each sound: a folder, whatever its files are written as.

<name>.vtt, .srt    the cues: what the model tells as a part is one, words are joined to lines
sounds.jsonl        which row each file is of
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ..rows import Annotation, Origin
from .cues import TIMES, Cue, cues_of
from .file_names import FileNames
from .held_files import HeldFiles
from .text import json_text


class Subtitles(HeldFiles):
    """A sound without speech has a file without cues."""

    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    asks: ClassVar[Mapping[str, Any]] = {TIMES: True}

    #: Of its files, and how they begin.
    SUFFIX: ClassVar[str]
    HEAD: ClassVar[str] = ""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        self._index = self._stream("index", self._open(path / "sounds.jsonl"))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        cues = enumerate(cues_of(annotation, self.origin.task), start=1)
        text = self.HEAD + "".join(self._cue(number, cue) for number, cue in cues)
        name = self._names.take(annotation.id, self.SUFFIX)
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
        row = {"id": annotation.id, "path": annotation.path, "file": name}
        self._index.write(json_text(row) + "\n")

    def _finish(self) -> None:
        pass

    @abstractmethod
    def _cue(self, number: int, cue: Cue) -> str:
        """A cue, and the line that divides it from the next."""


def clock(ms: int, point: str) -> str:
    """Hours, minutes, seconds and, behind a point, milliseconds."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
