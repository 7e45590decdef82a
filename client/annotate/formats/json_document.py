"""JSON documents of any length in constant memory: arrays that grow row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TextIO

from .joining import behind, leave_text, line_blocks, size_of
from .spool import copy_spooled
from .text import json_text

_DIGITS = b"0123456789"

#: From entries of a part, a line each, to those of the whole; the number is of the first of them.
Renumber = Callable[[list[bytes], int], Iterable[bytes]]


class GrowingArray:
    """Entries at the end of a file: of the document, or of one that waits for its turn in it.

    An entry is a line; what is in the file when this is made is the head, which all parts have.
    """

    def __init__(self, file: TextIO, moved: Renumber | None = None) -> None:
        """`moved` renumbers the entries of a part that is joined."""
        self._file, self._head, self._moved = file, size_of(file), moved
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

    def leave(self, file: Path) -> None:
        """Write the head and all entries."""
        leave_text(self._file, file)

    def join(self, chunks: Iterator[bytes]) -> None:
        """Append the entries of another array."""
        self._file.flush()
        write, between = self._file.buffer.write, b",\n" if self.count else b"\n"
        # Each begins with its line's break.
        for lines in line_blocks(behind(chunks, self._head + 1)):
            write(between + b"\n".join(self._moved(lines, self.count) if self._moved else lines))
            self.count += len(lines)
            between = b"\n"


def renumbered(line: bytes, field: bytes, numbers: Mapping[bytes, bytes]) -> bytes:
    """An entry with other numbers in a field, told as `"name":`, wherever it is in it."""
    # No text of it looks so, for quotes are escaped there.
    told, *others = line.split(field)
    for other in others:
        number = other[: len(other) - len(other.lstrip(_DIGITS))]
        told += field + numbers[number] + other[len(number) :]
    return told


def write_entries(file: IO[str], entries: Iterator[Any]) -> None:
    """Write entries with commas between."""
    for count, entry in enumerate(entries):
        file.write((",\n" if count else "\n") + json_text(entry))
