"""Rows of a query.

Whether they can be cut depends on a column that orders them: without one the query is one stretch,
for a second reading of some of it may give others.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from pydantic_core import from_json, to_json

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ..rows import SourceRow, UnreadableRow
from .base import Columns, Source
from .databases import Database, KeyRange, key_of, quoted, select
from .files import FileStore
from .mapping import ColumnFinder
from .parts import Part
from .queries import Query, is_server
from .sqlite import MAGIC, Sqlite
from .table import Head, RowMaker, TableRecord


def open_query(files: FileStore, path: str, query: Query, task: Task, columns: Columns) -> Source:
    """The rows of a query to a data base at a place. Raises InvalidRequest, Unavailable."""
    query.select  # noqa: B018 # whether there is one
    if is_server(path):
        from .postgresql import Postgresql  # only here: its package may not be there

        return SqlSource(task, columns, files, "", Postgresql(path), query)
    shown = files.shown(path)
    try:
        if files.head(path, len(MAGIC)) != MAGIC:
            raise InvalidRequest(f"{shown}: is no SQLite data base, which a query is for")
        near = path if files.is_local else _fetched(files, path)
    except RowError as error:
        raise InvalidRequest(f"{shown}: {error.message}") from None
    source = SqlSource(task, columns, files, files.folder_of(path), Sqlite(near, shown), query)
    source.file = path if files.is_local else ""
    if near != path:
        weakref.finalize(source, Path(near).unlink, missing_ok=True)
    return source


def _fetched(files: FileStore, path: str) -> str:
    with NamedTemporaryFile(suffix=".db", delete=False) as near:
        try:
            with files.open(path) as far:
                shutil.copyfileobj(far, near)
        except BaseException:
            Path(near.name).unlink()
            raise
    return near.name


class SqlSource(Source):
    """The rows of a query."""

    #: This machine's file that they are in; "" for none.
    file = ""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        folder: str,
        database: Database,
        query: Query,
    ) -> None:
        """Files that cells name are found from `folder`. Raises InvalidRequest, Unavailable."""
        super().__init__(task, columns)
        self._database, self._query = database, query
        found = database.columns(query)
        if query.order_by and query.order_by not in found:
            raise InvalidRequest(
                f"order_by: the query has no column {query.order_by!r}: {', '.join(found)}"
            )
        finder = ColumnFinder(task, columns)
        try:
            mapped = finder.find(*Head(found))
        except InvalidRequest as error:
            raise InvalidRequest(f"{database.shown}: {error.message}") from None
        self._columns = mapped.columns
        self._are_large = any(spec.is_file for spec in mapped.inputs)
        self._maker = RowMaker(finder, files, folder, has_ids=mapped.id is not None)

    def heeds(self, heed: Callable[[], None]) -> None:
        """Have what `heed` raises end a query that computes."""
        self._database.heed = heed

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self._rows(self._select(None) if self._query.order_by else self._query.select, 0)

    def count(self) -> int | None:
        """As the data base counts them, where it does so soon."""
        return self._database.count(self._query.as_table)

    def files(self) -> Iterable[str]:
        """The data base, where it is one."""
        return (self.file,) if self.file else ()

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """So many rows each, by the column that orders them; all of them without one.

        Raises InvalidRequest where that column cannot order them.
        """
        if not self._query.order_by:
            if first:
                raise InvalidRequest(
                    "sample: a query has first rows where order_by names a column of unique values"
                )
            yield Part(0, 1, None)
            return
        at, size, most = 0, 0, first or rows
        begun = last = None
        for key in self._keys():
            if size == most and begun is not None and last is not None:
                yield _part(at, size, KeyRange(begun, last))
                at, size, most, begun = at + size, 0, rows, None
            begun = key if begun is None else begun
            last, size = key, size + 1
        if begun is not None and last is not None:
            yield _part(at, size, KeyRange(begun, last))

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """Its rows. Raises InvalidRequest where there are more or fewer by now."""
        if not part.mark:
            yield from self
            return
        count = 0
        for row in self._rows(self._select(KeyRange(*from_json(part.mark))), part.first):
            count += 1
            if count <= part.units:
                yield row
        if count != part.units:
            raise InvalidRequest(
                f"the source has changed since its parts were cut: {part.units} rows were to follow"
                f" row {part.first}, and {count} do"
            )

    def _keys(self) -> Iterator[int | str]:
        """The values of the column that orders the rows. Raises InvalidRequest."""
        name, before = self._query.order_by, None
        key = quoted(name)
        table = self._query.as_table
        for cells in self._database.rows(select(key, table, f"order by {key}")):
            value = key_of(cells[name], name)
            if value == before:
                raise InvalidRequest(
                    f"order_by: two rows have {value!r} in column {name!r}: order by one of unique"
                    " values"
                )
            yield (before := value)

    def _select(self, bounds: KeyRange | None) -> str:
        """The query in the order of its column, between two of its values or all of it."""
        key = quoted(self._query.order_by)
        names = ", ".join(map(quoted, self._columns))
        where = ""
        if bounds is not None:
            first, last = map(self._database.literal, bounds)
            where = f"where {key} >= {first} and {key} <= {last} "
        return select(names, self._query.as_table, f"{where}order by {key}")

    def _rows(self, query: str, number: int) -> Iterator[SourceRow | UnreadableRow]:
        for cells in self._database.rows(query, are_large=self._are_large):
            yield self._maker.row(str(number), TableRecord(cells))
            number += 1


def _part(first: int, units: int, bounds: KeyRange) -> Part:
    return Part(first, units, units, mark=to_json(bounds).decode())
