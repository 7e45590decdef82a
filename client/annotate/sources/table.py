"""Rows of tables, one or many files of one kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ....tasks.tensors import Content
from ..rows import SourceRow, UnreadableRow, unnamed
from .ahead import ahead
from .base import Columns, Source
from .cells import CellReader, UnreadFile, id_of, plain_cells
from .files import FileStore
from .mapping import ColumnFinder, Mapped, links_of
from .parts import BEGIN, BEGINNING, Cutter, Part, RecordPlace, Start
from .remote import is_url
from .web import NOT_FETCHED

#: Characters in which a URL says that it is one: some cells are long, and no URLs.
_SCHEME = 24


class TableRecord(NamedTuple):
    """A row as its file holds it: column -> cell, as far as they can be told if it is at fault."""

    cells: Mapping[str, Any]  # whatever the format can hold
    #: What is wrong with it.
    reason: str = ""


class Head(NamedTuple):
    """What a table says of its columns before the first row."""

    columns: tuple[str, ...]
    #: Columns that say what they hold.
    contents: tuple[tuple[str, Content], ...] = ()


class TableReader(ABC):
    """Reads one kind of file. All raise RowError for one that is broken."""

    @abstractmethod
    def head(self, files: FileStore, path: str) -> Head:
        """The columns, as far as they can be told; none for an empty table."""

    @abstractmethod
    def records(self, files: FileStore, path: str, mapped: Mapped) -> Iterator[TableRecord]:
        """The rows in order, with the columns of `mapped` where they have them."""

    def starts(self, files: FileStore, path: str, mapped: Mapped) -> Iterator[Start]:
        """Where each row begins, without making more of it than that takes."""
        for number, _ in enumerate(self.records(files, path, mapped)):
            yield Start(number)

    def records_from(
        self, files: FileStore, path: str, mapped: Mapped, start: Start
    ) -> Iterator[TableRecord]:
        """The rows from one on, as `starts` told."""
        return islice(self.records(files, path, mapped), start.records, None)

    def count(self, files: FileStore, path: str) -> int | None:  # noqa: ARG002 # for files that say
        """How many rows, where the file says so."""
        return None


class TableSource(Source):
    """Rows of one or more tables, read one after the other and counted on."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        paths: Callable[[], Iterable[str]],
        reader: TableReader,
    ) -> None:
        """Raises InvalidRequest when the first table cannot be read or lacks a column."""
        super().__init__(task, columns)
        self._files, self._paths, self._reader = files, paths, reader
        self._finder = ColumnFinder(task, columns)
        has_files = any(spec.is_file for spec in task.inputs)
        #: Whether a record names files elsewhere, which are then read ahead; None where none can.
        self._is_far = _names_urls if has_files else None
        self._has_ids = self._first_has_ids()

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return ahead(self._works(), _made, self._files.threads, self._is_far)

    def files(self) -> Iterable[str]:
        """The tables; what their cells name is met row by row."""
        return self._files.on_this_machine(self._paths())

    def count(self) -> int | None:
        """The rows of all tables, where each of them tells."""
        total = 0
        for path in self._paths():
            try:
                rows = self._reader.count(self._files, path)
            except RowError:
                return None
            if rows is None:
                return None
            total += rows
        return total

    def _first_has_ids(self) -> bool:
        """Whether rows have ids, by the first table that has columns; all others are read alike."""
        for place, path in enumerate(self._paths()):
            shown = self._files.shown(path)
            try:
                head = self._reader.head(self._files, path)
            except RowError as error:
                if place == 0:
                    raise InvalidRequest(f"{shown}: {error.message}") from None
                continue
            if head.columns:
                mapped = self._mapped(head, shown)
                self._refuse_links(mapped, shown)
                return mapped.id is not None
        return True

    def _refuse_links(self, mapped: Mapped, shown: str) -> None:
        """Raise InvalidRequest where all files are URLs, and none is fetched."""
        for spec, column in mapped.inputs.items():
            if column.lower() in links_of(spec) and not self._files.fetches:
                raise InvalidRequest(f"{shown}: column {column!r}: {NOT_FETCHED}")

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """So many rows each, or fewer where they are long."""
        cutter, number = Cutter(rows, first), 0
        for file, path in enumerate(self._paths()):
            is_begun, mark = False, ""
            try:
                mark = self._files.mark(path)
                for start in self._reader.starts(self._files, path, self._mapped_of(path)):
                    yield from cutter.add(RecordPlace(file, start, number), mark)
                    is_begun = True
                    number += 1
            except (RowError, InvalidRequest):
                # What is told in the place of its rest stays with the rows before.
                place = None if is_begun else RecordPlace(file, number=number)
                yield from cutter.add(place, mark)
        yield from cutter.rest()

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """Its rows."""
        self._check(part)
        works = islice(self._works(part.place), part.units)
        return ahead(works, _made, self._files.threads, self._is_far)

    def _check(self, part: Part) -> None:
        """Raise InvalidRequest where its first table is another one than when it was cut."""
        if not part.mark:
            return
        path = next(islice(self._paths(), part.place.file, None), "")
        try:
            part.check(self._files.mark(path) if path else "")
        except RowError as error:
            raise InvalidRequest(f"{self._files.shown(path)}: {error.message}") from None

    def _mapped_of(self, path: str) -> Mapped:
        head = self._reader.head(self._files, path)
        return self._mapped(head, "") if head.columns else Mapped(None, {})

    def _works(self, begin: RecordPlace = BEGIN) -> Iterator[_Work | UnreadableRow]:
        number = begin.number
        for file, path in enumerate(self._paths()):
            if file < begin.file:
                continue
            start = begin.start if file == begin.file else BEGINNING
            folder = self._files.folder_of(path)
            maker = RowMaker(self._finder, self._files, folder, has_ids=self._has_ids)
            try:
                head = self._reader.head(self._files, path)
                mapped = self._mapped(head, "") if head.columns else Mapped(None, {})
                for record in self._records_from(path, mapped, start):
                    yield _Work(maker, number, record, head.contents)
                    number += 1
            except (RowError, InvalidRequest) as error:
                shown = self._files.shown(path)
                reason = f"the rest of this file cannot be read: {error.message}"
                yield UnreadableRow(f"{shown}#{number}", reason, shown)

    def _records_from(self, path: str, mapped: Mapped, start: Start) -> Iterator[TableRecord]:
        if start.records:
            return self._reader.records_from(self._files, path, mapped, start)
        return self._reader.records(self._files, path, mapped)

    def _mapped(self, head: Head, shown: str) -> Mapped:
        try:
            return self._finder.find(*head)
        except InvalidRequest as error:
            raise InvalidRequest(f"{shown}: {error.message}" if shown else error.message) from None


class _Work(NamedTuple):
    maker: RowMaker
    number: int
    record: TableRecord
    contents: tuple[tuple[str, Content], ...]


def _made(work: _Work | UnreadableRow) -> SourceRow | UnreadableRow:
    if isinstance(work, UnreadableRow):
        return work
    return work.maker.row(str(work.number), work.record, work.contents)


def _names_urls(work: _Work | UnreadableRow) -> bool:
    """Whether a cell is a URL, or has one."""
    return isinstance(work, _Work) and any(map(_names_url, work.record.cells.values()))


def _names_url(cell: object) -> bool:
    if isinstance(cell, str):
        return is_url(cell[:_SCHEME]) or (cell.startswith("[") and "://" in cell)
    if isinstance(cell, Mapping):
        return _names_url(cell.get("path"))
    return isinstance(cell, list) and any(map(_names_url, cell))


class RowMaker:
    """Makes rows of records that lie in one folder."""

    def __init__(
        self, finder: ColumnFinder, files: FileStore, folder: str, *, has_ids: bool
    ) -> None:
        self._finder, self._cells = finder, CellReader(files, folder)
        self._has_ids = has_ids

    def row(
        self,
        number: str,
        record: TableRecord,
        contents: tuple[tuple[str, Content], ...] = (),
        path: str = "",
    ) -> SourceRow | UnreadableRow:
        """The row, under its id or this number; `path` where no cell tells another."""
        # A number must not take the place of a row that has it for an id.
        id_ = unnamed(number) if self._has_ids else number
        try:
            if self._has_ids:
                id_ = self._id(record) or id_
            if record.reason:
                return UnreadableRow(id_, record.reason, path)
            mapped = self._finder.find(tuple(record.cells), contents)
            return self._read(id_, record, mapped, path)
        except (InvalidRequest, RowError) as error:
            return UnreadableRow(id_, record.reason or error.message, path)

    def _id(self, record: TableRecord) -> str:
        """What the row's own column says; "" for nothing."""
        column = self._finder.id_column(tuple(record.cells))
        return "" if column is None else id_of(record.cells[column])

    def _read(
        self, id_: str, record: TableRecord, mapped: Mapped, path: str
    ) -> SourceRow | UnreadableRow:
        values: dict[str, Any] = {}
        shown, file = "", None
        for spec, column in mapped.inputs.items():
            value = record.cells[column]
            if value is None and spec.optional:
                continue
            if value == "" and spec.field in self._finder.either:  # CSV's way to say nothing
                continue
            try:
                cell = self._cells.read(spec, value)
            except UnreadFile as error:
                return UnreadableRow(id_, error.message, error.path)
            except RowError as error:
                return UnreadableRow(id_, f"column {column!r}: {error.message}", shown or path)
            values[spec.field] = cell.value
            if spec.is_file and file is None:
                file = cell.file
            shown = shown or cell.path
        if mapped.record:
            spec, columns = mapped.record
            cells = {column: record.cells[column] for column in columns}
            values[spec.field] = plain_cells(cells, lists=self._finder.takes_lists)
        return SourceRow(id_, values, shown or path, file=file or "")
