"""The rows of a run's finished shards, page by page; blocks without a wanted one stay unread."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..protocol.errors import InvalidRequest, NotFound
from .run_blobs import SheetBlock, pictures_key, read_block, sheet_index
from .run_records import Run, Shard
from .stores import Store

#: Blocks that one page reads, at most: it may then have fewer rows than asked for, and goes on.
_MOST_BLOCKS = 60

#: Bytes of rows that one page has, about: some answers are large, and it may then have fewer.
PAGE_BYTES = 16 * 1024 * 1024

#: Rows that are put in order by their score, at most: the first of a run.
ORDERED_ROWS = 20_000

#: Indexes of shards in memory: they never change.
_INDEXES = 256


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """Which rows, and in which order."""

    #: Failed ones alone, or answered ones alone; None for both.
    failed: bool | None = None
    label: str = ""
    #: The label that rows have first; "" for any.
    first_label: str = ""
    min_score: float = -math.inf
    max_score: float = math.inf
    by_score: bool = False

    @property
    def _scored(self) -> bool:
        return self.min_score > -math.inf or self.max_score < math.inf

    def may_be_in(self, block: SheetBlock) -> bool:
        """Whether a block may have such a row."""
        if self.failed is True and not block.failed:
            return False
        if self.failed is False and block.failed == block.rows:
            return False
        labels = {self.label, self.first_label} - {""}
        if not block.more and not labels <= block.labels.keys():
            return False
        if not self._scored:
            return True
        if block.min_score is None or block.max_score is None:
            return False
        return block.min_score <= self.max_score and block.max_score >= self.min_score

    def admits(self, row: dict[str, Any]) -> bool:
        """Whether a row is such a one."""
        if self.failed is not None and self.failed != (row["state"] == "failed"):
            return False
        if self.label and all(found["label"] != self.label for found in row["labels"]):
            return False
        first = row["labels"][0]["label"] if row["labels"] else ""
        if self.first_label and first != self.first_label:
            return False
        if not self._scored:
            return True
        score = row["score"]
        return score is not None and self.min_score <= score <= self.max_score


class Place(NamedTuple):
    """Where a row is: its shard, and its number among the shard's."""

    shard: int
    number: int

    def __str__(self) -> str:
        return f"{self.shard}.{self.number}"

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that a page's `after` names. Raises InvalidRequest."""
        shard, dot, number = text.partition(".")
        if not (dot and shard.isdecimal() and number.isdecimal() and len(text) < 30):
            raise InvalidRequest(f"after: {text[:40]!r} is none that a page told")
        return cls(int(shard), int(number))


class PlacedRow(NamedTuple):
    """A row of a sheet, and where it is."""

    place: Place
    row: dict[str, Any]
    #: How much it is as JSON.
    bytes: int


class RowsPage(NamedTuple):
    """Some rows, and where the next page goes on; "" at the end."""

    rows: list[PlacedRow]
    after: str
    #: How many rows were put in order; None where they come as they are.
    ordered: int | None = None


class Sheets:
    """The sheets of a run's finished shards. Its calls read the store: make them in a thread."""

    def __init__(self, store: Store, run: Run, shards: Sequence[Shard]) -> None:
        self._store, self._run_id = store, run.spec.id
        #: Tells the run from an earlier one of its id, which was forgotten.
        self._made = run.spec.created_at_ms
        self._shards = [shard for shard in shards if shard.state == "done" and shard.sheet]
        self._numbers = {shard.number for shard in self._shards}

    def page(self, wanted: RowsWanted, after: str, limit: int) -> RowsPage:
        """Rows behind a place. Raises InvalidRequest, StoreUnavailable."""
        if wanted.by_score:
            return self._by_score(wanted, after, limit)
        begin = Place.of(after) if after else Place(0, 0)
        if after and begin.shard not in self._numbers:
            raise InvalidRequest(
                "after: small parts of this run were put together since that page: begin anew"
            )
        found: list[PlacedRow] = []
        room = PAGE_BYTES
        for read, (shard, first, block) in enumerate(self._worth_reading(wanted, begin)):
            if read == _MOST_BLOCKS:
                return RowsPage(found, str(Place(shard.number, first)))
            for placed in self._rows(shard, first, block):
                if placed.place < begin or not wanted.admits(placed.row):
                    continue
                if len(found) == limit or room <= 0:
                    return RowsPage(found, str(placed.place))
                found.append(placed)
                room -= placed.bytes
        return RowsPage(found, "")

    def _worth_reading(
        self, wanted: RowsWanted, begin: Place
    ) -> Iterator[tuple[Shard, int, SheetBlock]]:
        """Blocks from a place on that may have wanted rows."""
        for shard in self._shards:
            if shard.number < begin.shard:
                continue
            for first, block in self._blocks(shard):
                end = Place(shard.number, first + block.rows)
                if end > begin and wanted.may_be_in(block):
                    yield shard, first, block

    def row(self, index: int, shard_number: int | None = None) -> PlacedRow:
        """The row of an index. Raises NotFound."""
        if shard_number not in self._numbers:
            shard_number = None  # it was put together with others, in whose place it is
        for shard in self._shards:
            if shard_number is not None and shard.number != shard_number:
                continue
            for first, block in self._blocks(shard):
                begin = block.first + shard.moved
                if begin <= index < begin + block.rows:
                    for placed in self._rows(shard, first, block):
                        if placed.row["index"] == index:
                            return placed
        raise NotFound(f"no row {index} in the finished shards of this run")

    def picture(self, placed: PlacedRow) -> bytes:
        """A row's thumbnail. Raises NotFound."""
        shard = next(s for s in self._shards if s.number == placed.place.shard)
        where = placed.row["picture"]
        if where is None:
            raise NotFound(f"row {placed.row['index']} has no picture here")
        ref = self._store.ref(pictures_key(self._run_id, shard.number, shard.sheet))
        return self._store.get_range(ref, where[0], where[1])

    def first_rows(self, most: int | None) -> Iterator[PlacedRow]:
        """The first rows, in their order; all of them for None."""
        return islice(self._every(), most)

    def _every(self) -> Iterator[PlacedRow]:
        for shard in self._shards:
            for first, block in self._blocks(shard):
                yield from self._rows(shard, first, block)

    def by_least_score(self) -> Iterator[tuple[float, Iterator[PlacedRow]]]:
        """The rows of each block that has scores, by the least of them; read as they are taken."""
        blocks = [
            (block.min_score, shard.number, first, shard, block)
            for shard in self._shards
            for first, block in self._blocks(shard)
            if block.min_score is not None
        ]
        for least, _, first, shard, block in sorted(blocks, key=lambda each: each[:3]):
            yield least, self._rows(shard, first, block)

    def of_indexes(self, indexes: Set[int]) -> dict[int, PlacedRow]:
        """The rows of some indexes, those that are there."""
        left, found = sorted(indexes), dict[int, PlacedRow]()
        for shard in self._shards:
            for first, block in self._blocks(shard):
                begin = block.first + shard.moved
                at = bisect_left(left, begin)
                if at < len(left) and left[at] < begin + block.rows:
                    for placed in self._rows(shard, first, block):
                        if placed.row["index"] in indexes:
                            found[placed.row["index"]] = placed
        return found

    @property
    def counted(self) -> int:
        """How many rows there are."""
        return sum(shard.rows for shard in self._shards)

    def _by_score(self, wanted: RowsWanted, after: str, limit: int) -> RowsPage:
        """Those of the first rows, the least score first; rows without a score are left out."""
        begin = int(after) if after.isdecimal() and len(after) < 10 else 0
        if after and not begin:
            raise InvalidRequest(f"after: {after[:40]!r} is none that a page told")
        found = sorted(  # without the rows themselves, whose answers may be large
            (placed.row["score"], placed.place, placed.bytes)
            for placed in self.first_rows(ORDERED_ROWS)
            if placed.row["score"] is not None and wanted.admits(placed.row)
        )
        end = begin + fitting([size for *_, size in found[begin : begin + limit]])
        rows = self.at([place for _, place, _ in found[begin:end]])
        ordered = min(ORDERED_ROWS, self.counted)
        return RowsPage(rows, str(end) if end < len(found) else "", ordered)

    def at(self, places: Sequence[Place]) -> list[PlacedRow]:
        """The rows of some places, in their order."""
        found: dict[Place, PlacedRow] = {}
        for shard in self._shards:
            mine = {place.number for place in places if place.shard == shard.number}
            for first, block in self._blocks(shard) if mine else ():
                if any(first <= number < first + block.rows for number in mine):
                    # Not the others: each of a thousand rows may be in a block of its own.
                    found |= {
                        placed.place: placed
                        for placed in self._rows(shard, first, block)
                        if placed.place.number in mine
                    }
        return [found[place] for place in places]

    def _blocks(self, shard: Shard) -> Iterator[tuple[int, SheetBlock]]:
        """Blocks, each with the number of its first row among the shard's."""
        first = 0
        key = (self._run_id, self._made, shard.number, shard.sheet)
        for block in _index(self._store, *key):  # type: ignore[arg-type] # a store is itself alone
            yield first, block
            first += block.rows

    def _rows(self, shard: Shard, first: int, block: SheetBlock) -> Iterator[PlacedRow]:
        lines = read_block(self._store, self._run_id, shard.number, shard.sheet, block)
        for number, line in enumerate(lines, start=first):
            row = from_json(line)
            row["index"] += shard.moved
            yield PlacedRow(Place(shard.number, number), row, len(line))


def fitting(sizes: Sequence[int]) -> int:
    """How many of some rows go on one page, by their bytes: one at least."""
    room = PAGE_BYTES
    for count, size in enumerate(sizes):
        if room <= 0:
            return count
        room -= size
    return len(sizes)


@lru_cache(_INDEXES)
def _index(
    store: Store,
    run_id: str,
    made: int,  # noqa: ARG001 # a part of the key
    number: int,
    name: str,
) -> Sequence[SheetBlock]:
    return sheet_index(store, run_id, number, name)
