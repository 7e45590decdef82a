"""CTM, the words of sounds with their times (NIST's SCTK, ctm.5): one file.

    <sound> <channel> <begin> <duration> <word>     seconds; a line a word

A sound is called by its row's id without the suffix, `%`, `;` and blanks in it percent-encoded. The
channel is 1. Models give words no confidence, so there is none. Where a model tells when a sentence
is said, and not each word, its words share its time by their lengths, and a comment says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from ..rows import Annotation, Origin
from .cues import TIMES, parts_of, words_of
from .file_names import FileNames
from .held_files import HeldFiles

#: What would divide a sound's name, or make its line a comment.
_DIVIDES = re.compile(r"[\s%;]")


class Ctm(HeldFiles):
    """Rows in the source's order; a sound without speech has no line."""

    asks: ClassVar[Mapping[str, Any]] = {TIMES: True}
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        self._file = self._open(path)
        model = " ".join(f"{origin.model} {origin.version}".split())
        self._file.write(f";; {origin.task.title} by {model}\n")
        self._stream("rows", self._file)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        parts = parts_of(annotation, self.origin.task)
        name = _DIVIDES.sub(lambda found: quote(found[0]), self._names.take(annotation.id))
        if any(" " in part.text for part in parts):
            self._file.write(f";; {name}: words share the time of their sentence\n")
        for part in parts:
            for word in words_of(part):
                begin, duration = word.start / 1000, (word.end - word.start) / 1000
                self._file.write(f"{name} 1 {begin:.3f} {duration:.3f} {word.text}\n")

    def _finish(self) -> None:
        pass
