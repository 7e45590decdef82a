"""The files that rows were answered with, masks for one, each in a file of its own: a folder.

    manifest.jsonl              the records as in JSONL, with the file's path in each file's place
    <name>/<field>-000.png      `mask-000.png` is the first mask of a row

The numbers of a depth map are float32, little-endian, row by row, in a file without a header: the
manifest has its height and width.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

from ..rows import Annotation, Origin
from .file_names import FileNames
from .held_files import HeldFiles
from .records import record_of
from .text import json_text

#: How files begin -> their suffix.
_SUFFIXES = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"RIFF": ".wav",
    b"fLaC": ".flac",
}


class Files(HeldFiles):
    """Files as they were answered, byte by byte; an empty one is left out, its place is null."""

    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)
        self._manifest = self._stream("manifest", self._open(path / "manifest.jsonl"))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        folder = self._names.take(annotation.id)
        counts: Counter[str] = Counter()

        def keep(name: str, data: bytes) -> str | None:
            if not data:
                return None
            file = f"{folder}/{name}-{counts[name]:03d}{_suffix(data)}"
            counts[name] += 1
            (self.path / folder).mkdir(parents=True, exist_ok=True)
            (self.path / file).write_bytes(data)
            return file

        record = record_of(annotation, self.origin.task, keep)
        self._manifest.write(json_text(record) + "\n")

    def _finish(self) -> None:
        pass


def _suffix(data: bytes) -> str:
    return next((end for start, end in _SUFFIXES.items() if data.startswith(start)), ".f32")
