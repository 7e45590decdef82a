"""JSON Lines: an object a line, UTF-8."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice

from pydantic_core import from_json

from .files import Files
from .mapping import Mapped
from .table import Head, Record, TableReader
from .text_files import lines

#: Rows that are looked at for the columns there are.
_LOOKED_AT = 20


class JsonLines(TableReader):
    """`.jsonl` and `.ndjson`; blank lines are no rows."""

    def head(self, files: Files, path: str) -> Head:
        """The columns of the first rows together; each row has its own."""
        with closing(self._records(files, path)) as records:
            cells = [record.cells for record in islice(records, _LOOKED_AT)]
        return Head(tuple(dict.fromkeys(column for row in cells for column in row)))

    def records(
        self,
        files: Files,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # each line has its own
    ) -> Iterator[Record]:
        """The objects; what is none is told by its line."""
        return self._records(files, path)

    def _records(self, files: Files, path: str) -> Generator[Record, None, None]:
        for number, line in enumerate(lines(files, path), start=1):
            if line is None:
                yield Record({}, f"line {number} is too long")
            elif line.strip():
                yield _record(number, line)


def _record(number: int, line: bytes) -> Record:
    try:
        value = from_json(line)
    except ValueError:
        return Record({}, f"line {number} is not JSON")
    if not isinstance(value, dict):
        return Record({}, f"line {number} is not a JSON object")
    return Record(value, "" if value else f"line {number} is an empty object")
