"""Stretches of a source, which whoever reads a part of it is given: by units, and from where on.

A unit is what a source can begin to read at: a row of a table, a file of a folder, a tar shard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, Self

from ....protocol.errors import InvalidRequest

#: Bytes of a part of a table whose file tells where rows begin, at most.
MOST_BYTES = 64 * 1024 * 1024


class Start(NamedTuple):
    """Where a record of a table's file begins."""

    #: Records before it in its file.
    records: int = 0
    #: Where in the file its line is, and the line's number from 1; 0 where that is not told.
    byte: int = 0
    line: int = 1


#: A file's beginning.
BEGINNING = Start()


class RecordPlace(NamedTuple):
    """Where a record of several files begins."""

    #: Counts the files from 0.
    file: int = 0
    start: Start = BEGINNING
    #: Records before it in all files.
    number: int = 0


#: Where the first record is.
BEGIN = RecordPlace()


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a source."""

    #: Units before it.
    first: int
    units: int
    #: Its rows; None where nobody knows before they are read.
    rows: int | None
    #: What its first unit is called, so that a source that has changed is noticed; of a table, what
    #: tells the file that it begins in from another of that name, where its place knows.
    mark: str = ""
    #: Where a table's record begins: its RecordPlace, flat.
    at: tuple[int, ...] = ()
    #: What its last unit is called; "" where that is not told.
    last: str = ""

    @property
    def place(self) -> RecordPlace:
        """Where a table's first record is."""
        if not self.at:
            return BEGIN
        file, records, byte, line, number = self.at
        return RecordPlace(file, Start(records, byte, line), number)

    def as_json(self) -> dict[str, Any]:
        """What another process makes it from."""
        return asdict(self)

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """The part that was written down."""
        known = {each.name for each in fields(cls)}
        told = {name: value for name, value in given.items() if name in known}
        return cls(**{**told, "at": tuple(given["at"])})

    def check(self, mark: str) -> None:
        """Raise InvalidRequest where another unit stands first than when it was cut."""
        _refuse_other(self.mark, mark)

    def check_last(self, last: str) -> None:
        """Raise InvalidRequest where another unit stands last than when it was cut."""
        _refuse_other(self.last or last, last)


def _refuse_other(then: str, now: str) -> None:
    if then != now:
        raise InvalidRequest(
            f"the source has changed since its parts were cut: {then!r} stood where {now!r} is"
        )


class Cutter:
    """Cuts the records of tables into parts as they are met."""

    def __init__(self, rows: int, first: int = 0) -> None:
        """Parts of so many rows; the first of `first`, unless that is 0."""
        self._rows, self._next = rows, first or rows
        self._begun: RecordPlace | None = None
        self._mark = ""
        self._first = self._units = self._begun_byte = 0

    def add(self, place: RecordPlace | None, mark: str = "") -> Iterator[Part]:
        """Take one more unit, which begins there; None for one that stays with those before.

        `mark` is its file's.
        """
        if place is not None and self._units and self._is_full(place):
            yield self._part()
        if self._begun is None:
            self._begun, self._mark = place or BEGIN, mark
        self._units += 1

    def rest(self) -> Iterator[Part]:
        """What is left, if anything is."""
        if self._units:
            yield self._part()

    def _is_full(self, place: RecordPlace) -> bool:
        begun = self._begun or BEGIN
        is_long = place.file == begun.file and place.start.byte - begun.start.byte > MOST_BYTES
        return self._units >= self._next or is_long

    def _part(self) -> Part:
        begun = self._begun or BEGIN
        part = Part(
            self._first,
            self._units,
            self._units,
            self._mark,
            at=(begun.file, *begun.start, begun.number),
        )
        self._first += self._units
        self._units, self._begun, self._next = 0, None, self._rows
        return part
