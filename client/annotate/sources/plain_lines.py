"""A text file whose lines are rows."""

from __future__ import annotations

from .files import FileStore
from .line_reader import LineReader
from .table import Head, TableRecord


class TextLinesReader(LineReader):
    """`.txt`, named alone; every line counts, blank ones are left out."""

    def head(self, files: FileStore, path: str) -> Head:
        """One column, the line."""
        files.open(path).close()
        return Head(("text",))

    def record(self, number: int, line: bytes) -> TableRecord:  # noqa: ARG002 # any line is a row
        """The line without its end."""
        return TableRecord({"text": line.rstrip(b"\r\n")})
