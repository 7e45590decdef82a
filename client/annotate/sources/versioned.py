"""Rows of a table that is kept in versions, of which one is read: what comes later is not in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ..rows import SourceRow, UnreadableRow
from .base import Columns, Source
from .files import FileStore
from .mapping import ColumnFinder
from .parts import Part
from .table import Head, RowMaker, TableRecord


class VersionedTable(ABC):
    """One version of a table. All raise RowError where it cannot be read."""

    @property
    @abstractmethod
    def shown(self) -> str:
        """What people call it."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """Its columns."""

    @abstractmethod
    def count(self) -> int:
        """How many rows it has."""

    @abstractmethod
    def rows(
        self, columns: list[str], skip: int, *, are_large: bool
    ) -> Iterator[Mapping[str, Any]]:
        """The rows from one on, column -> value; few at once where they are large."""


class VersionedSource(Source):
    """The rows of one version, in the order in which it has them."""

    def __init__(
        self, task: Task, columns: Columns, files: FileStore, folder: str, table: VersionedTable
    ) -> None:
        """Files that cells name are found from `folder`. Raises InvalidRequest."""
        super().__init__(task, columns)
        self._table = table
        self._contents = table.head.contents
        finder = ColumnFinder(task, columns)
        try:
            mapped = finder.find(*table.head)
        except InvalidRequest as error:
            raise InvalidRequest(f"{table.shown}: {error.message}") from None
        self._columns = mapped.columns
        self._are_large = any(spec.is_file for spec in mapped.inputs)
        self._maker = RowMaker(finder, files, folder, has_ids=mapped.id is not None)

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self._rows(0)

    def count(self) -> int:
        """As the table tells. Raises InvalidRequest."""
        try:
            return self._table.count()
        except RowError as error:
            raise InvalidRequest(f"{self._table.shown}: {error.message}") from None

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """So many rows each; none are read for it."""
        at, total, most = 0, self.count(), first or rows
        while at < total:
            units = min(most, total - at)
            yield Part(at, units, units)
            at, most = at + units, rows

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """Its rows."""
        return islice(self._rows(part.first), part.units)

    def _rows(self, number: int) -> Iterator[SourceRow | UnreadableRow]:
        shown = self._table.shown
        try:
            for cells in self._table.rows(self._columns, number, are_large=self._are_large):
                yield self._maker.row(str(number), TableRecord(cells), self._contents)
                number += 1
        except RowError as error:
            raise InvalidRequest(f"{shown}: row {number}: {error.message}") from None
