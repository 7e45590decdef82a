"""CSV and TSV: a header, then a row a line; quoted cells may hold line ends."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Self

from ....protocol.errors import RowError
from .files import FileStore
from .mapping import Mapped
from .table import Head, TableReader, TableRecord
from .text_files import MAX_LINE_BYTES, lines


class DelimitedReader(TableReader):
    """Cells by commas, or by what the header has instead: semicolons (as Excel writes), tabs."""

    def __init__(self, delimiter: str = "") -> None:
        self._delimiter = delimiter

    def head(self, files: FileStore, path: str) -> Head:
        """The header."""
        with closing(self._rows(files, path)) as rows:
            return Head(tuple(_header(rows)))

    def records(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # all cells are at hand
    ) -> Iterator[TableRecord]:
        """The rows after the header."""
        rows = self._rows(files, path)
        header = _header(rows)
        for cells, reason in rows:
            yield TableRecord(dict(zip(header, cells, strict=False)), reason)

    def _rows(self, files: FileStore, path: str) -> Generator[tuple[list[str], str], None, None]:
        """Cells, as many as the header's, or what is wrong with a row and the cells before that.

        A row at fault ends with its first line: a quote that is never closed takes no others along.
        """
        # The limit holds for the process. A quote that is never closed would hold all that follows.
        csv.field_size_limit(MAX_LINE_BYTES)
        text = _Lines(_text(files, path))
        delimiter = self._delimiter or _delimiter(text.first())
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        width = 0
        while True:
            text.taken.clear()
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                line = text.give_back()
                yield _begun(line, delimiter), f"line {text.number}: {error}"
                continue
            width = width or len(cells)
            if len(cells) == width:
                yield cells, ""
            elif cells:
                text.give_back()
                yield cells, f"it has {len(cells)} cells, and the header {width}"


class _Lines:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._back = lines, deque[str]()
        #: Lines of the row that is being read.
        self.taken: list[str] = []
        #: Of the last line that was taken, from 1.
        self.number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self.taken.append(line)
        self.number += 1
        return line

    def first(self) -> str:
        """The first line, which is still to be read; "" where there is none."""
        line = next(self._lines, None)
        if line is not None:
            self._back.append(line)
        return line or ""

    def give_back(self) -> str:
        """Give back what was taken of a row but its first line, which is answered."""
        first, *others = self.taken
        self._back.extendleft(reversed(others))
        self.number -= len(others)
        return first


def _header(rows: Iterator[tuple[list[str], str]]) -> list[str]:
    cells, reason = next(rows, ([], ""))
    if reason:
        raise RowError(f"its header cannot be read: {reason}")
    return cells


def _begun(line: str, delimiter: str) -> list[str]:
    """The cells of a row that breaks off, without the one that does."""
    return next(csv.reader([line], delimiter=delimiter), [])[:-1]


def _text(files: FileStore, path: str) -> Iterator[str]:
    for line in lines(files, path):
        if line is None:
            raise RowError("a line is too long")
        # What is no UTF-8 is told of the cell that has it.
        yield line.decode("utf-8", "surrogateescape")


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
