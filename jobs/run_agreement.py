"""How far two runs agree over all of their rows, read once and held in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..tasks.annotations.stretches import OTHERS
from .run_compare import ComparedAnswer, agreement_of, answer_of
from .run_rows import PlacedRow, Sheets

#: First labels that are told one by one, and rows on which two runs agree least.
_LABELS, _LEAST = 20, 24

#: Pairs of labels that are counted alone; beyond twice as many the rarest are put together.
_PAIRS = 10_000

#: Rows of one run that wait for the other's of their ids: equal sources are in equal order.
_WAITING = 100_000

#: Labels of a row that are told; rows of one run that are read before the other's are.
_TOLD, _TURN = 5, 200


@dataclass(frozen=True, slots=True)
class _Read:
    """What is held of a row that waits for the other run's: whole rows may be large."""

    index: int
    id: str
    #: Some of its labels; None for a row that failed.
    labels: list[str] | None
    answer: ComparedAnswer


class FirstLabels:
    """Which first labels one run gave where another gave which."""

    def __init__(self) -> None:
        self._pairs = Counter[tuple[str, str]]()

    def add(self, mine: str, theirs: str) -> None:
        """Count a row that both answered."""
        self._pairs[mine, theirs] += 1
        if len(self._pairs) > 2 * _PAIRS:
            ordered = sorted(self._pairs.items(), key=lambda each: (-each[1], each[0]))
            self._pairs = Counter(dict(ordered[:_PAIRS]))
            self._pairs[OTHERS, OTHERS] += sum(count for _, count in ordered[_PAIRS:])

    def as_json(self) -> dict[str, Any]:
        """The commonest labels, and a row of counts for each, with one and a column of others."""
        total = Counter[str]()
        for (mine, theirs), count in self._pairs.items():
            total[mine] += count
            total[theirs] += count
        ordered = sorted(total.items(), key=lambda each: (-each[1], each[0]))
        labels = [name for name, _ in ordered if name != OTHERS][:_LABELS]
        place = {name: at for at, name in enumerate(labels)}
        last = len(labels)
        counts = [[0] * (last + 1) for _ in range(last + 1)]
        for (mine, theirs), count in self._pairs.items():
            counts[place.get(mine, last)][place.get(theirs, last)] += count
        return {"labels": labels, "counts": counts}


@dataclass(slots=True)
class Agreement:
    """What two runs come to, row by row."""

    counted: int = 0
    answered: int = 0
    shares: float = 0.0
    same_first: int = 0
    labels: FirstLabels = field(default_factory=FirstLabels)
    _least: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)

    def add(self, a: _Read, b: _Read) -> None:
        """Count a row of both."""
        self.counted += 1
        agreement = agreement_of(a.answer, b.answer)
        if agreement is not None:
            self.answered += 1
            self.shares += agreement
            self.same_first += a.answer.first == b.answer.first
            self.labels.add(a.answer.first, b.answer.first)
        both_failed = a.labels is None and b.labels is None
        if not both_failed and (agreement is None or agreement < 1):
            self._note(a, b, agreement)

    def _note(self, a: _Read, b: _Read, agreement: float | None) -> None:
        # The heap's first is the one that goes: the most agreement, and of equals the last row.
        order = (1.0 if agreement is None else -agreement, -a.index)
        if len(self._least) == _LEAST and order <= self._least[0][:2]:
            return
        told = {
            "index": a.index,
            "id": a.id,
            "agreement": agreement,
            "a": a.labels,
            "b": b.labels,
        }
        push = heapq.heappush if len(self._least) < _LEAST else heapq.heapreplace
        push(self._least, (*order, told))

    def as_json(self, of: int) -> dict[str, Any]:
        """What is told of it; `of` is how many rows the first run has."""
        able = self.answered
        return {
            "agreement": round(self.shares / able, 6) if able else None,
            "same_first_label": round(self.same_first / able, 6) if able else None,
            "counted": self.counted,
            "of": of,
            "confusion": self.labels.as_json(),
            "least": [told for *_, told in sorted(self._least, key=lambda each: each[:2])[::-1]],
        }


def compare_whole(
    one: Sheets, other: Sheets, check: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Compare all rows of two runs by their ids. `check` is called now and then, and may raise."""
    found, sides = Agreement(), (dict[str, _Read](), dict[str, _Read]())
    rows = (one.first_rows(None), other.first_rows(None))
    going = [True, True]
    while any(going):
        check()
        for side in (0, 1):
            some = [_read(placed) for placed in islice(rows[side], _TURN)]
            going[side] = bool(some)
            for read in some:
                _meet(read, side, sides, found)
    return found.as_json(one.counted)


def _meet(
    read: _Read, side: int, sides: tuple[dict[str, _Read], dict[str, _Read]], found: Agreement
) -> None:
    """Compare a row with the other run's of its id, once both are there."""
    match = sides[1 - side].pop(read.id, None)
    if match is None:
        if len(sides[side]) < _WAITING:
            sides[side][read.id] = read
        return
    found.add(*((read, match) if side == 0 else (match, read)))


def _read(placed: PlacedRow) -> _Read:
    row = placed.row
    labels = [str(found["label"]) for found in row["labels"][:_TOLD]]
    return _Read(
        row["index"], row["id"], None if row["state"] == "failed" else labels, answer_of(placed)
    )
