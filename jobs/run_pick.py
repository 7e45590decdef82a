"""The rows of a run that people should look at first: those of which the model is least sure."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import NamedTuple

from .run_rows import Place, PlacedRow, Sheets

#: Rows that are picked, at most.
MOST_PICKED = 10_000

#: How many of the least sure rows a pick by label is made among, for each that is picked.
_AMONG = 10

#: Rows that are read together: their answers may be large.
_TOGETHER = 50


class _Candidate(NamedTuple):
    score: float
    place: Place
    label: str


def least_sure(sheets: Sheets, count: int, *, by_label: bool = False) -> list[Place]:
    """The rows of the lowest scores, over all finished shards; a row's score is its highest.

    With `by_label` they are taken in turns, one of each first label, among ten times as many: so
    that no label that the model never knows takes all places.
    """
    wanted = count * _AMONG if by_label else count
    # The heap's first is the surest: the one that goes.
    held: list[tuple[float, tuple[int, int], str]] = []
    for least, rows in sheets.by_least_score():
        if len(held) == wanted and least > -held[0][0]:
            break
        for placed in rows:
            _hold(held, wanted, placed)
    found = sorted(_Candidate(-score, Place(-a, -b), name) for score, (a, b), name in held)
    return [each.place for each in (_in_turns(found, count) if by_label else found)]


def _hold(held: list[tuple[float, tuple[int, int], str]], wanted: int, placed: PlacedRow) -> None:
    score, (shard, number) = placed.row["score"], placed.place
    if score is None:
        return
    label = placed.row["labels"][0]["label"] if placed.row["labels"] else ""
    entry = (-score, (-shard, -number), label)
    if len(held) < wanted:
        heapq.heappush(held, entry)
    elif entry > held[0]:
        heapq.heapreplace(held, entry)


def _in_turns(found: list[_Candidate], count: int) -> list[_Candidate]:
    """One of each label after another, the least sure of each first."""
    queues = defaultdict[str, deque[_Candidate]](deque)
    for each in found:
        queues[each.label].append(each)
    picked: list[_Candidate] = []
    while queues and len(picked) < count:
        for label in list(queues):
            picked.append(queues[label].popleft())
            if not queues[label]:
                del queues[label]
    return picked[:count]


def picked_rows(sheets: Sheets, places: list[Place]) -> Iterator[PlacedRow]:
    """The rows of places, in their order, a few at a time."""
    for at in range(0, len(places), _TOGETHER):
        yield from sheets.at(places[at : at + _TOGETHER])
