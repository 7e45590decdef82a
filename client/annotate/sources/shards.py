"""WebDataset shards: a tar whose members that share a name, up to its first dot, are one row.

The convention is WebDataset's: https://github.com/webdataset/webdataset ("files that belong
together, and make up a training sample, share the same basename").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from pydantic_core import from_json

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.file_words import printable_name
from ....tasks.base import Task
from ..rows import SourceRow, UnreadableRow
from .base import Columns, Source
from .cells import Member
from .files import FileStore
from .mapping import ColumnFinder
from .parts import Part
from .table import RowMaker, TableRecord
from .tar import members

_KEY, _JSON = "__key__", "json"


@dataclass(slots=True)
class _Group:
    """The members of one row: what follows the first dot of their names -> what they hold."""

    key: str
    cells: dict[str, Member | None] = field(default_factory=dict)
    reason: str = ""


class ShardSource(Source):
    """Rows of tar shards, read as streams; their keys are the ids."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        paths: Callable[[], Iterable[str]],
        *,
        one: bool,
    ) -> None:
        """With more than `one` shard ids begin with the shard's name. Raises InvalidRequest."""
        super().__init__(task, columns)
        self._files, self._paths, self._one = files, paths, one
        self._finder = ColumnFinder(task, replace(columns, id=columns.id or _KEY))
        self._usual = self._finder.usual()
        self._read = self._usual | {_JSON}
        first = next(iter(paths()))
        try:
            files.open(first).close()
        except RowError as error:
            raise InvalidRequest(f"{files.shown(first)}: {error.message}") from None

    def files(self) -> Iterable[str]:
        """The shards."""
        return self._files.on_this_machine(self._paths())

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self._read_shards(self._paths())

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:  # noqa: ARG002 # a stream is read from its beginning
        """A shard each, however many rows it has."""
        for at, path in enumerate(self._paths()):
            yield Part(at, 1, None, mark=self._files.shown(path))

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """The rows of a shard."""
        paths = list(islice(self._paths(), part.first, part.first + part.units))
        part.check(self._files.shown(paths[0]) if paths else "")
        return self._read_shards(paths)

    def _read_shards(self, paths: Iterable[str]) -> Iterator[SourceRow | UnreadableRow]:
        self.left_out.clear()
        for path in paths:
            shown = self._files.shown(path)
            shard = shown.rpartition("/")[2]
            prefix = "" if self._one else f"{shard.partition('.')[0]}/"
            folder = self._files.folder_of(path)
            maker = RowMaker(self._finder, self._files, folder, has_ids=True)
            try:
                for group in self._groups(path, shown):
                    id_ = prefix + printable_name(group.key)
                    record = TableRecord({_KEY: id_, **_columns(group.cells)}, group.reason)
                    if self._is_row(group, record):
                        yield maker.row(id_, record, path=f"{shown}/{printable_name(group.key)}")
                    else:
                        self.leave_out(f"x.{_JSON}")
            except RowError as error:
                reason = f"the rest of this shard cannot be read: {error.message}"
                yield UnreadableRow(f"{shard}#rest", reason, shown)

    def _groups(self, path: str, shown: str) -> Iterator[_Group]:
        """Members that follow each other under one key. Raises RowError."""
        group: _Group | None = None
        passed = _PassedOver(self)

        def wanted(name: str) -> bool:
            return self._wanted(name) or passed.over(name)

        with closing(members(self._files.open(path), wanted)) as found:
            for name, data in found:
                key, end = _split(name)
                passed.keep(key)
                if group is None or key != group.key:
                    if group is not None:
                        yield group
                    group = _Group(key)
                if end in group.cells:
                    group.reason = f"there are two members {printable_name(name)}"
                member = None if data is None else Member(data, f"{shown}/{printable_name(name)}")
                group.cells[end] = member
        passed.settle()
        if group is not None:
            yield group

    def _is_row(self, group: _Group, record: TableRecord) -> bool:
        """Whether it is more than some JSON that is about something else."""
        names = {name.lower() for name in record.cells if name != _KEY}
        return bool(group.cells.keys() - {_JSON} or names & self._usual)

    def _wanted(self, name: str) -> bool:
        end = _split(name)[1]
        last = end.rpartition(".")[2]
        return not _is_hidden(name) and (end in self._read or last in self._read)


class _PassedOver:
    """Members that are not read, until it is known whether they are a row's."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._row: str | None = None
        self._key: str | None = None
        self._names: list[str] = []

    def over(self, name: str) -> bool:
        """Pass over a member."""
        key = _split(name)[0]
        if key != self._row and not _is_hidden(name):
            if key != self._key:
                self.settle()
            self._key = key
            self._names.append(name)
        return False

    def keep(self, key: str) -> None:
        """Take those of this key for a row's."""
        self._row = key
        if key == self._key:
            self._names.clear()

    def settle(self) -> None:
        """Count those that are of no row."""
        for name in self._names:
            self._source.leave_out(name)
        self._names.clear()


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name


def _split(name: str) -> tuple[str, str]:
    """A member's key and what follows it."""
    folder, slash, base = name.rpartition("/")
    stem, _, end = base.partition(".")
    return folder + slash + stem, end.lower()


def _columns(cells: Mapping[str, Member | None]) -> dict[str, Any]:  # any JSON among them
    """The members, those of longer endings by their last (`left.jpg`), and what their JSON says."""
    columns: dict[str, Any] = dict(cells)
    for end in cells:
        last = end.rpartition(".")[2]
        if sum(other.endswith(f".{last}") for other in cells) == 1:
            columns.setdefault(last, cells[end])
    described = columns.get(_JSON)
    if isinstance(described, Member):
        try:
            document = from_json(described.data)
        except ValueError:
            document = None
        if isinstance(document, dict):
            columns = {**document, **columns}
    return columns
