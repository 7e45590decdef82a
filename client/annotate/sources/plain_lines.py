"""A text file whose lines are rows."""

from __future__ import annotations

from collections.abc import Iterator

from .files import FileStore
from .mapping import Mapped
from .parts import BEGINNING, Start
from .table import Head, TableReader, TableRecord
from .text_files import line_starts, lines


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
        return self._records(files, path)

    def starts(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # there is one
    ) -> Iterator[Start]:
        """Where each line begins that is a row."""
        found = (start for line, start in line_starts(files, path) if line is None or line.strip())
        return (start._replace(records=number) for number, start in enumerate(found))

    def records_from(
        self, files: FileStore, path: str, mapped: Mapped, start: Start
    ) -> Iterator[TableRecord]:
        """The lines from one on."""
        if not start.byte:
            return super().records_from(files, path, mapped, start)
        return self._records(files, path, start)

    def _records(
        self, files: FileStore, path: str, start: Start = BEGINNING
    ) -> Iterator[TableRecord]:
        for number, line in enumerate(lines(files, path, offset=start.byte), start=start.line):
            if line is None:
                yield TableRecord({}, f"line {number} is too long")
            elif line.strip():
                yield TableRecord({"text": line.rstrip(b"\r\n")})
