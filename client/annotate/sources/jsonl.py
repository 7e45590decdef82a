"""JSON Lines: an object a line, UTF-8."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice

from pydantic_core import from_json

from ....protocol.errors import RowError
from .files import FileStore
from .mapping import Mapped
from .parts import BEGINNING, Start
from .table import Head, TableReader, TableRecord
from .text_files import line_starts, lines

#: Rows that are looked at for the columns there are.
_LOOKED_AT = 20


class JsonLinesReader(TableReader):
    """`.jsonl` and `.ndjson`; blank lines are no rows."""

    def head(self, files: FileStore, path: str) -> Head:
        """The columns of the first rows together; each row has its own."""
        columns: dict[str, None] = {}
        with closing(self._records(files, path)) as records:
            try:
                for record in islice(records, _LOOKED_AT):
                    columns |= dict.fromkeys(record.cells)
            except RowError:  # the rows before are good
                if not columns:
                    raise
        return Head(tuple(columns))

    def records(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # each line has its own
    ) -> Iterator[TableRecord]:
        """The objects; what is none is told by its line."""
        return self._records(files, path)

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
        """The objects from a line on."""
        if not start.byte:
            return super().records_from(files, path, mapped, start)
        return self._records(files, path, start)

    def _records(
        self, files: FileStore, path: str, start: Start = BEGINNING
    ) -> Generator[TableRecord, None, None]:
        found = lines(files, path, offset=start.byte)
        for number, line in enumerate(found, start=start.line):
            if line is None:
                yield TableRecord({}, f"line {number} is too long")
            elif line.strip():
                yield _record(number, line)


def _record(number: int, line: bytes) -> TableRecord:
    try:
        value = from_json(line)
    except ValueError:
        return TableRecord({}, f"line {number} is not JSON")
    if not isinstance(value, dict):
        return TableRecord({}, f"line {number} is not a JSON object")
    return TableRecord(value, "" if value else f"line {number} is an empty object")
