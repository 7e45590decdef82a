"""CSV and TSV: a header, then a row a line; quoted cells may hold line ends."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator
from contextlib import closing

from ....protocol.errors import RowError
from .files import Files
from .mapping import Mapped
from .table import Head, Record, TableReader
from .text_files import MAX_LINE_BYTES, lines


class Delimited(TableReader):
    """Cells by commas, or by what the header has instead: semicolons (as Excel writes), tabs."""

    def __init__(self, delimiter: str = "") -> None:
        self._delimiter = delimiter

    def head(self, files: Files, path: str) -> Head:
        """The header."""
        with closing(self._rows(files, path)) as rows:
            return Head(tuple(next(rows, ([], ""))[0]))

    def records(
        self,
        files: Files,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # all cells are at hand
    ) -> Iterator[Record]:
        """The rows after the header."""
        rows = self._rows(files, path)
        header, _ = next(rows, ([], ""))
        for cells, reason in rows:
            if reason:
                yield Record({}, reason)
            elif len(cells) != len(header):
                yield Record({}, f"it has {len(cells)} cells, and the header {len(header)}")
            else:
                yield Record(dict(zip(header, cells, strict=True)))

    def _rows(self, files: Files, path: str) -> Generator[tuple[list[str], str], None, None]:
        """Cells, or why there are none."""
        # The limit holds for the process. A quote that is never closed would hold all that follows.
        csv.field_size_limit(MAX_LINE_BYTES)
        text = _text(files, path)
        first = next(text, "")
        rows = csv.reader(_again(first, text), delimiter=self._delimiter or _delimiter(first))
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield [], f"line {rows.line_num}: {error}"
            else:
                if cells:
                    yield cells, ""


def _text(files: Files, path: str) -> Iterator[str]:
    for line in lines(files, path):
        if line is None:
            raise RowError("a line is too long")
        # What is no UTF-8 is told of the cell that has it.
        yield line.decode("utf-8", "surrogateescape")


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
