"""JSON Lines: an object a line, UTF-8."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

from pydantic_core import from_json

from ....protocol.errors import RowError
from .files import FileStore
from .line_reader import LineReader
from .table import Head, TableRecord

#: Rows that are looked at for the columns there are.
_LOOKED_AT = 20


class JsonLinesReader(LineReader):
    """`.jsonl` and `.ndjson`; blank lines are no rows."""

    def head(self, files: FileStore, path: str) -> Head:
        """The columns of the first rows together; each row has its own."""
        columns: dict[str, None] = {}
        with closing(self.all_records(files, path)) as records:
            try:
                for record in islice(records, _LOOKED_AT):
                    columns |= dict.fromkeys(record.cells)
            except RowError:  # the rows before are good
                if not columns:
                    raise
        return Head(tuple(columns))

    def record(self, number: int, line: bytes) -> TableRecord:
        """The object; what is none is told by its line."""
        try:
            value = from_json(line)
        except ValueError:
            return TableRecord({}, f"line {number} is not JSON")
        if not isinstance(value, dict):
            return TableRecord({}, f"line {number} is not a JSON object")
        return TableRecord(value, "" if value else f"line {number} is an empty object")
