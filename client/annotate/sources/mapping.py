"""Which column of a table fills which input of the task."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from ....protocol.errors import InvalidRequest
from ....tasks.base import Task
from ....tasks.tensors import Content, TensorSpec
from ...errors import UsageError
from .base import Columns
from .kinds import suffixes

#: `Columns.id` that asks for row numbers although there is an id column.
ROW_NUMBER = "#"

_IDS = ("id", "_id", "uid", "uuid", "guid", "__key__")

#: What people call a file's column, besides what it holds.
_PATHS = ("file_name", "filename", "file_path", "filepath", "path", "file")

#: What people call the column of an input, the surest first; its own names come before.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "context": ("passage", "document", "text"),
    "messages": ("conversation",),
    "prompt": ("text", "caption"),
    "query": ("question",),
    "question": ("query",),
    "sentences": ("candidates", "passages", "documents"),
    "source_sentence": ("source", "sentence", "query", "sentence1"),
    "text": (
        *("sentence", "sentence1", "premise", "content", "document", "article", "body"),
        *("question", "prompt", "review", "txt"),
    ),
    "texts": ("passages", "documents", "sentences", "candidates"),
}

#: What people call a column of files' URLs, where no other has the files.
_LINKS = ("url", "link")


@dataclass(frozen=True, slots=True)
class Mapped:
    """The columns that rows are read from."""

    #: None for row numbers.
    id: str | None
    #: Input -> column.
    inputs: Mapping[TensorSpec, str]
    #: The input that is an object of cells, and their columns.
    record: tuple[TensorSpec, tuple[str, ...]] | None = None

    @property
    def columns(self) -> list[str]:
        """All of them, once each."""
        cells = self.record[1] if self.record else ()
        return list(dict.fromkeys([*([self.id] if self.id else []), *self.inputs.values(), *cells]))


class ColumnFinder:
    """Finds the columns of a task's inputs among a table's."""

    def __init__(self, task: Task, columns: Columns) -> None:
        """Raises UsageError for a field that the task has not."""
        specs = {spec.field: spec for spec in task.inputs}
        self._task, self._id, self._own = task, columns.id, columns.own
        shared = columns.constants
        self._specs = [specs[field] for field in task.input.ROWS if field not in shared]
        #: Whether a record's cells may be lists: those of a graph's own tensors are.
        self.takes_lists = task.of_model is not None
        #: Fields of which a row has one: a column of each may be there, none need be.
        self.either = frozenset(task.input.ONE_OF)
        by_name = {name: spec.field for spec in self._specs for name in (spec.name, spec.field)}
        self._asked: dict[str, str] = {}
        for name, column in columns.fields.items():
            if name not in by_name:
                fit = ", ".join(spec.field for spec in self._specs)
                raise UsageError(f"columns: {task.name} has no rows of {name!r}: use {fit}")
            self._asked[by_name[name]] = column
        # Lines of JSON mostly have the same columns.
        self.find = functools.lru_cache(maxsize=64)(self._find)

    def usual(self) -> frozenset[str]:
        """Every name that could be looked for, in lower case."""
        names = {*_IDS, self._id, *self._asked.values()}
        return frozenset(
            name.lower() for spec in self._specs for name in (*self._names(spec), *names)
        )

    def _names(self, spec: TensorSpec) -> tuple[str, ...]:
        """What its column may be called, the surest first."""
        # Others' `labels` and `boxes` mostly mean something else.
        sure = spec.optional and spec.field not in self.either
        return _own_names(spec) if sure else _usual_names(spec)

    def _find(
        self, columns: tuple[str, ...], contents: tuple[tuple[str, Content], ...] = ()
    ) -> Mapped:
        """The columns to read. `contents` are columns that say themselves what they hold.

        Raises InvalidRequest that names what is missing.
        """
        known = {column.lower(): column for column in reversed(columns)}
        found: dict[TensorSpec, str] = {}
        record = None
        for spec in self._specs:
            column = self._asked.get(spec.field)
            if column is not None:
                if column and column not in columns:
                    raise InvalidRequest(f"there is no column {column!r}: {_listed(columns)}")
            else:
                taken = {*found.values(), *self._asked.values()}
                names = self._names(spec)
                column = _first(spec, names, known, dict(contents), taken)
            if column:
                found[spec] = column
            elif spec.field == self._task.input.RECORD:
                record = (spec, self._cells(columns))
            elif not spec.optional:
                raise InvalidRequest(self._missing(spec, columns))
        if self.either and not found:
            raise InvalidRequest(self._missing(self._specs[0], columns))
        id_ = self.id_column(columns)
        for column in (id_, *found.values(), *(record[1] if record else ())):
            if column is not None and columns.count(column) > 1:
                raise InvalidRequest(f"two columns are called {column!r}: name them apart")
        return Mapped(id_, found, record)

    def _cells(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """The columns of a record. Raises InvalidRequest where one of a model's own is missing."""
        if missing := self._own.difference(columns):
            raise InvalidRequest(
                f"the model takes {min(missing)!r} of every row, and no column is called so: "
                f"{_listed(columns)}"
            )
        return tuple(column for column in columns if not self._own or column in self._own)

    def id_column(self, columns: tuple[str, ...]) -> str | None:
        """The column of ids; None for row numbers. Raises InvalidRequest for one that lacks."""
        known = {column.lower(): column for column in reversed(columns)}
        if self._id == ROW_NUMBER:
            return None
        if self._id and self._id not in columns:
            raise InvalidRequest(f"there is no column {self._id!r}: {_listed(columns)}")
        return self._id or next((known[name] for name in _IDS if name in known), None)

    def _missing(self, spec: TensorSpec, columns: tuple[str, ...]) -> str:
        either = [s.name for s in self._specs if s.field in self.either]
        needed = " or ".join(map(repr, either or [spec.name]))
        return (
            f"{self._task.name} needs {needed} of every row, and no column is called so: "
            f"name the one for {spec.field!r}; {_listed(columns)}"
        )


def _first(
    spec: TensorSpec,
    names: tuple[str, ...],
    known: Mapping[str, str],
    contents: Mapping[str, Content],
    taken: set[str],
) -> str | None:
    for name in names:
        if name in known and known[name] not in taken:
            return known[name]
    typed = (c for c, content in contents.items() if content == spec.content and c not in taken)
    return next(typed, None) or next(
        (known[name] for name in links_of(spec) if name in known and known[name] not in taken), None
    )


def links_of(spec: TensorSpec) -> tuple[str, ...]:
    """What a column of an input's URLs may be called, where no other has the files."""
    return (f"{spec.content}_url", *_LINKS) if spec.is_file and not spec.optional else ()


def _own_names(spec: TensorSpec) -> tuple[str, ...]:
    own = (spec.name, spec.field)
    return (*own, "sentence2", "hypothesis") if spec.name == "text_pair" else own


def _usual_names(spec: TensorSpec) -> tuple[str, ...]:
    own = (spec.name, spec.field)
    if not spec.is_file:
        return (*own, *_USUAL.get(spec.name, ()))
    noun = spec.content
    short = ("img", "picture", "photo") if noun == "image" else ("sound", "speech")
    files = (f"{noun}_path", f"{noun}_file", f"{noun}_filename", f"{noun}_file_name", *_PATHS)
    ends = tuple(suffix[1:] for suffix in suffixes(noun))  # as tar shards name what they hold
    return (*own, noun, f"{noun}s", *short, *files, *ends)


def _listed(columns: tuple[str, ...]) -> str:
    return f"the columns are {', '.join(columns[:20])}{', ...' if len(columns) > 20 else ''}"
