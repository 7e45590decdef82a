"""What readers of lines have in common: each line that is not blank is a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator

from .files import FileStore
from .mapping import Mapped
from .parts import BEGINNING, Start
from .table import TableReader, TableRecord
from .text_files import line_starts, lines


class LineReader(TableReader):
    """A file whose lines are rows, which can be read from any of them on."""

    @abstractmethod
    def record(self, number: int, line: bytes) -> TableRecord:
        """The row of a line, which counts from 1."""

    def records(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # each line has its own
    ) -> Iterator[TableRecord]:
        """The rows; what is none is told by its line."""
        return self.all_records(files, path)

    def starts(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # each line has its own
    ) -> Iterator[Start]:
        """Where each line begins that is a row."""
        found = (start for line, start in line_starts(files, path) if line is None or line.strip())
        return (start._replace(records=number) for number, start in enumerate(found))

    def records_from(
        self, files: FileStore, path: str, mapped: Mapped, start: Start
    ) -> Iterator[TableRecord]:
        """The rows from a line on."""
        if not start.byte:
            return super().records_from(files, path, mapped, start)
        return self.all_records(files, path, start)

    def all_records(
        self, files: FileStore, path: str, start: Start = BEGINNING
    ) -> Generator[TableRecord, None, None]:
        """The rows, whatever their columns are mapped to."""
        for number, line in enumerate(lines(files, path, offset=start.byte), start=start.line):
            if line is None:
                yield TableRecord({}, f"line {number} is too long")
            elif line.strip():
                yield self.record(number, line)
