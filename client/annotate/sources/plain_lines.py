"""A text file whose lines are rows."""

from __future__ import annotations

from collections.abc import Iterator

from .files import FileStore
from .mapping import Mapped
from .table import Head, TableReader, TableRecord
from .text_files import lines


class TextLinesReader(TableReader):
    """`.txt`, named alone; every line counts, blank ones are left out."""

    def head(self, files: FileStore, path: str) -> Head:
        """One column, the line."""
        files.open(path).close()
        return Head(("text",))

    def records(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # there is one
    ) -> Iterator[TableRecord]:
        """The lines."""
        for number, line in enumerate(lines(files, path), start=1):
            if line is None:
                yield TableRecord({}, f"line {number} is too long")
            elif line.strip():
                yield TableRecord({"text": line.rstrip(b"\r\n")})
