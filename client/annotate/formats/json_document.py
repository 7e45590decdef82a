"""JSON documents of any length in constant memory: arrays that grow row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from .spool import copy_spooled, spool
from .text import json_text


class GrowingArray:
    """Entries that wait on disk, beside the document, for their turn in it."""

    def __init__(self, beside: Path, held: ExitStack) -> None:
        self._file: IO[str] = spool(beside, held)
        self.count = 0

    def add(self, entry: Any) -> None:
        """Append an entry."""
        self._file.write((",\n" if self.count else "\n") + json_text(entry))
        self.count += 1

    def copy_to(self, file: IO[str]) -> None:
        """Write all entries, with commas between."""
        copy_spooled(self._file, file)

    def lines(self) -> Iterator[str]:
        """Each entry's JSON, in order."""
        self._file.flush()
        self._file.seek(0)
        for line in self._file:
            entry = line.strip().rstrip(",")
            if entry:
                yield entry


def write_entries(file: IO[str], entries: Iterator[Any]) -> None:
    """Write entries with commas between."""
    for count, entry in enumerate(entries):
        file.write((",\n" if count else "\n") + json_text(entry))
