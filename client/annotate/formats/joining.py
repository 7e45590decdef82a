"""What an output is made of while it grows, and how it goes on with what another one came to.

Outputs of rows that follow each other are written apart, each where its rows are. What one has come
to it leaves in files, a file for whatever grows in it; the output of all rows joins these in turn.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TextIO, cast

#: Bytes copied at a time.
_CHUNK = 1 << 20

#: The files of a part, by name: chunks of each.
ReadPart = Callable[[str], Iterator[bytes]]


class CannotJoin(Exception):
    """Parts that do not come to what one output of all their rows would be."""


class Joinable(Protocol):
    """Something of an output that grows with its rows."""

    def leave(self, file: Path) -> None:
        """Write what it has come to."""

    def join(self, chunks: Iterator[bytes]) -> None:
        """Go on with what another one left. Raises CannotJoin."""


class Lines:
    """A text file. What is in it when this is made is the head, which all parts have."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._head = file, size_of(file)

    def leave(self, file: Path) -> None:
        """Write all, with the head."""
        leave_text(self._file, file)

    def join(self, chunks: Iterator[bytes]) -> None:
        """Append all but the head."""
        self._file.flush()
        for chunk in behind(chunks, self._head):
            self._file.buffer.write(chunk)


class Tally(Counter[str]):
    """Things that are counted."""

    def leave(self, file: Path) -> None:
        """Write the counts."""
        file.write_text(json.dumps(self))

    def join(self, chunks: Iterator[bytes]) -> None:
        """Add another's."""
        self.update(cast("dict[str, int]", json.loads(b"".join(chunks))))


def size_of(file: TextIO) -> int:
    """Bytes of a text file that is being written."""
    file.flush()
    return file.buffer.tell()


def leave_text(spooled: TextIO, file: Path) -> None:
    """Copy a text file that is being written, and can be read."""
    spooled.flush()
    spooled.buffer.seek(0)
    with file.open("wb") as left:
        shutil.copyfileobj(spooled.buffer, left, _CHUNK)


def behind(chunks: Iterator[bytes], head: int) -> Iterator[bytes]:
    """Chunks without the first bytes."""
    for chunk in chunks:
        yield chunk[head:] if head else chunk
        head = max(0, head - len(chunk))


def line_blocks(chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Lines, without their ends, as many at a time as there are in a chunk."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
