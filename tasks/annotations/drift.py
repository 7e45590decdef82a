"""Drift: stretches of a source whose answers plainly differ from those of all its other rows.

Labels are held against each other by Jensen-Shannon distance (Lin 1991) and scores by the distance
of Kolmogorov and Smirnov. Each has to be large, for that people should look, and beyond what
chance does with so many rows: by a chi-squared test of labels (Wilson and Hilferty 1931 for its
tail), by the limit of Kolmogorov's distribution, by a test of two shares for failures. A hundred
stretches are tested at once, so chance is given less than one in a million for each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from .stretches import NO_LABEL, OTHERS, SCORE_BINS, RowStretch, Stretches

#: Rows that a stretch needs, and how many of them with answers or scores; stretches of a source.
_LEAST_ROWS, _LEAST_ANSWERED, _LEAST_STRETCHES = 50, 25, 4

#: Distances, of 1, from which on a stretch differs; for failures, the difference of the shares.
_LABELS, _SCORES, _FAILED = 0.2, 0.2, 0.1

#: Standard deviations that chance has, and the same for Kolmogorov's distribution: 2 exp(-2 x²).
_DEVIATIONS, _KOLMOGOROV = 6.0, 3.2

#: Rows that a label should have in a stretch if it were like the rest; rarer ones are put together.
_EXPECTED = 5.0

#: Findings that are told one by one.
MOST_TOLD = 5


class Drift(NamedTuple):
    """Some rows that differ from all others."""

    #: Place of the first row, and the place behind the last.
    first: int
    end: int
    #: `labels`, `scores` or `failed`.
    what: str
    #: The label of which there is most too much or too little; `lower` or `higher` scores.
    which: str
    #: How far, from 0 to 1.
    distance: float
    #: In words.
    told: str

    def __str__(self) -> str:
        return f"rows {self.first:,}-{self.end - 1:,}: {self.told}"


def drifts(stretches: Stretches) -> list[Drift]:
    """What differs, in the order of the rows; neighbours that differ alike are one."""
    found = [(first, each) for first, each in stretches if each.rows >= _LEAST_ROWS]
    if len(found) < _LEAST_STRETCHES:
        return []
    whole = RowStretch()
    for _, each in stretches:
        whole.rows += each.rows
        whole.failed += each.failed
        whole.labels.update(each.labels)
        whole.scores = [a + b for a, b in zip(whole.scores, each.scores, strict=True)]
    told: list[Drift] = []
    for differs in (_labels, _scores, _failures):
        told += _together(
            drift._replace(first=first, end=first + (each.rows if is_last else stretches.width))
            for (first, each), is_last in _marked(found)
            if (drift := differs(each, whole))
        )
    return sorted(told, key=lambda drift: (drift.first, drift.what))


def drift_view(found: Sequence[Drift]) -> list[dict[str, Any]]:
    """Findings as JSON."""
    return [
        {
            "first": drift.first,
            "end": drift.end,
            "what": drift.what,
            "distance": drift.distance,
            "told": drift.told,
        }
        for drift in found
    ]


def drift_notes(found: Sequence[Drift]) -> list[str]:
    """What people are to read of it: the plainest few, and how many more there are."""
    plainest = sorted(sorted(found, key=lambda drift: -drift.distance)[:MOST_TOLD])
    notes = [f"{drift}" for drift in plainest]
    if len(found) > len(plainest):
        more = len(found) - len(plainest)
        notes.append(
            f"{more:,} more such stretches: the source seems to be in an order that goes with its"
            " answers"
        )
    return notes


def _marked(
    found: Sequence[tuple[int, RowStretch]],
) -> Iterator[tuple[tuple[int, RowStretch], bool]]:
    """Each, and whether it is the last."""
    return ((each, at == len(found) - 1) for at, each in enumerate(found))


def _together(found: Iterable[Drift]) -> list[Drift]:
    """Neighbours that differ alike, as one with the words of the plainest."""
    told: list[Drift] = []
    for drift in found:
        last = told[-1] if told else None
        if last and last.end == drift.first and last.which == drift.which:
            plainer = max(last, drift, key=lambda each: each.distance)
            told[-1] = plainer._replace(first=last.first, end=drift.end)
        else:
            told.append(drift)
    return told


def _labels(part: RowStretch, whole: RowStretch) -> Drift | None:
    rest = Counter(whole.labels)
    rest.subtract(part.labels)
    n, m = part.answered, whole.answered - part.answered
    if n < _LEAST_ANSWERED or m < _LEAST_ROWS:
        return None
    common = {name for name, count in whole.labels.items() if count * n >= _EXPECTED * (n + m)}
    names = sorted(common - {OTHERS})
    mine = [part.labels[name] for name in names]
    theirs = [rest[name] for name in names]
    mine.append(n - sum(mine))
    theirs.append(m - sum(theirs))
    distance = _jensen_shannon(mine, theirs)
    if distance < _LABELS or _deviations(mine, theirs) < _DEVIATIONS:
        return None
    which = max(sorted(whole.labels), key=lambda name: abs(part.labels[name] / n - rest[name] / m))
    name = {NO_LABEL: "without a label", OTHERS: "rare labels"}.get(which, repr(which))
    told = f"{name} {part.labels[which] / n:.0%}, elsewhere {rest[which] / m:.0%}"
    return Drift(0, 0, "labels", which, round(distance, 3), told)


def _scores(part: RowStretch, whole: RowStretch) -> Drift | None:
    mine, rest = part.scores, [a - b for a, b in zip(whole.scores, part.scores, strict=True)]
    n, m = sum(mine), sum(rest)
    if n < _LEAST_ANSWERED or m < _LEAST_ROWS:
        return None
    gaps = (a / n - b / m for a, b in zip(accumulate(mine), accumulate(rest), strict=True))
    distance = max(abs(gap) for gap in gaps)
    if distance < _SCORES or distance * math.sqrt(n * m / (n + m)) < _KOLMOGOROV:
        return None
    here, there = (_mean(counts) for counts in (mine, rest))
    which = "lower" if here < there else "higher"
    told = f"{which} scores, {here:.2f} on average, elsewhere {there:.2f}"
    return Drift(0, 0, "scores", which, round(distance, 3), told)


def _failures(part: RowStretch, whole: RowStretch) -> Drift | None:
    n, m = part.rows, whole.rows - part.rows
    if m < _LEAST_ROWS:
        return None
    here, there, both = part.failed / n, (whole.failed - part.failed) / m, whole.failed / (n + m)
    spread = math.sqrt(both * (1 - both) * (1 / n + 1 / m))
    if here - there < _FAILED or here - there < _DEVIATIONS * spread:
        return None
    told = f"failed {here:.0%}, elsewhere {there:.0%}"
    return Drift(0, 0, "failed", "failed", round(here - there, 3), told)


def _mean(counts: Sequence[int]) -> float:
    return sum((at + 0.5) * n for at, n in enumerate(counts)) / SCORE_BINS / sum(counts)


def _jensen_shannon(mine: Sequence[int], theirs: Sequence[int]) -> float:
    """The distance of two distributions, from 0 to 1."""
    n, m = sum(mine), sum(theirs)
    total = 0.0
    for a, b in zip(mine, theirs, strict=True):
        p, q = a / n, b / m
        middle = (p + q) / 2
        total += sum(x * math.log2(x / middle) / 2 for x in (p, q) if x)
    return math.sqrt(max(0.0, total))


def _deviations(mine: Sequence[int], theirs: Sequence[int]) -> float:
    """How many standard deviations beyond chance two counts differ."""
    n, m = sum(mine), sum(theirs)
    total, kinds = 0.0, 0
    for a, b in zip(mine, theirs, strict=True):
        if not a + b:
            continue
        kinds += 1
        expected = (a + b) * n / (n + m)
        others = (a + b) * m / (n + m)
        total += (a - expected) ** 2 / expected + (b - others) ** 2 / others
    free = kinds - 1
    if free < 1:
        return 0.0
    spread = 2 / (9 * free)
    return float((math.cbrt(total / free) - (1 - spread)) / math.sqrt(spread))
