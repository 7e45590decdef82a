from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ....protocol.file_words import printable_name
from ....tasks.base import Task
from ..rows import SourceRow, UnreadableRow
from .kinds import suffix_of
from .parts import Part
from .walking import FoundFile

#: Suffixes of files that are left out which are counted apart.
_MOST_SUFFIXES = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what; "" for the usual names."""

    id: str = ""
    #: Field of the task's Input (`images`) -> column.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Field of the task's Input -> what all rows share: no column is looked for.
    constants: Mapping[str, Any] = field(default_factory=dict)
    #: The tensors of a model that declares its own, by which its record's columns are called; none
    #: for a record of all columns.
    own: frozenset[str] = frozenset()


class Source(ABC):
    """A data set to read once, in an order that is the same each time, in constant memory."""

    def __init__(self, task: Task, columns: Columns) -> None:
        self.task, self.columns = task, columns
        #: Files that are no rows for their kind, as the last reading met them: suffix -> how many.
        self.left_out: Counter[str] = Counter()
        #: What names its rows as they were when it was opened, for another process to open; ""
        #: where nothing does.
        self.pinned = ""

    @abstractmethod
    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        """Every row. One that cannot be read is an UnreadableRow, and the next ones follow."""

    def heeds(self, heed: Callable[[], None]) -> None:  # noqa: B027 # most give rows soon
        """Call `heed` now and then while rows may be long in coming; what it raises ends the wait.

        Any thread may call it.
        """

    def each(self, step: int) -> Iterator[SourceRow | UnreadableRow]:
        """The first row, and every `step`-th after it."""
        return islice(self, 0, None, step)

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """Stretches of about so many rows, the first of `first` unless that is 0.

        Rows are read for it where there is no quicker way.
        """
        size, at, units = first or rows, 0, 0
        for _ in self:
            units += 1
            if units == size:
                yield Part(at, units, units)
                size, at, units = rows, at + units, 0
        if units:
            yield Part(at, units, units)

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """The rows of a stretch. Raises InvalidRequest where the source is seen to have changed."""
        return islice(self, part.first, part.first + part.units)

    def listed(self, files: Callable[[], Iterable[FoundFile]]) -> Source:
        """The rows of some of its files alone, in the order in which they are told."""
        raise NotImplementedError(f"{type(self).__name__} is not of files")

    def leave_out(self, name: str) -> None:
        """Count a file that is no row."""
        suffix = printable_name(suffix_of(name))
        known = suffix in self.left_out or len(self.left_out) < _MOST_SUFFIXES
        self.left_out[suffix if known else "others"] += 1

    def leave_out_frames(self, name: str, count: int) -> None:
        """Count frames or pages of a file that are no rows, for nobody said which are."""
        self.left_out[f"frames of {printable_name(suffix_of(name)) or 'no suffix'}"] += count

    def count(self) -> int | None:
        """How many rows, where that is known without reading all of them."""
        return None

    def counted(self) -> int | None:
        """How many rows, whatever it takes to know: for a prediction."""
        return self.count()

    def files(self) -> Iterable[str]:
        """This machine's files that it reads, those that are known without reading rows."""
        return ()


class SourcePart(Source):
    """A stretch of a source, as a source."""

    def __init__(self, source: Source, part: Part) -> None:
        super().__init__(source.task, source.columns)
        self._source, self._part = source, part

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self._source.part(self._part)

    def count(self) -> int | None:
        """Its rows, where they were counted when it was cut."""
        return self._part.rows
