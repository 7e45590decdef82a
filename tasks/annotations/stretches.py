"""Counts of a source's rows, stretch by stretch: what drift along it is told from.

Stretches are of equal width and begin at multiples of it, so that those of a part of the source
join those of another. There are `MOST` at most: when there would be more, each two become one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Stretches at most, and rows of one before any two were put together.
MOST, LEAST_WIDTH = 50, 50

#: Scores are counted in bins of a twentieth.
SCORE_BINS = 20

#: Labels of a stretch that are counted alone; beyond twice as many the rarest are put together.
_LABELS = 256

#: What answered rows without a label count as, and those of labels that are not told one by one.
NO_LABEL, OTHERS = "", "\x00others"


@dataclass(slots=True)
class RowStretch:
    """Some rows that follow each other, counted together."""

    rows: int = 0
    failed: int = 0
    #: The first label of each answered row: a row's labels are not independent of each other.
    labels: Counter[str] = field(default_factory=Counter)
    #: The highest score of each row that has one.
    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)

    @property
    def answered(self) -> int:
        """Rows that have an answer."""
        return self.rows - self.failed

    @property
    def mean_score(self) -> float | None:
        """About: by the middle of each bin."""
        count = sum(self.scores)
        if not count:
            return None
        return sum((at + 0.5) * n for at, n in enumerate(self.scores)) / SCORE_BINS / count

    def add(self, other: RowStretch) -> None:
        """Count another's rows too."""
        self.rows += other.rows
        self.failed += other.failed
        self.labels.update(other.labels)
        self.scores = [a + b for a, b in zip(self.scores, other.scores, strict=True)]
        self._fold()

    def count(self, label: str) -> None:
        """Count the label of a row."""
        self.labels[label] += 1
        if len(self.labels) > 2 * _LABELS:
            self._fold()

    def _fold(self) -> None:
        if len(self.labels) <= 2 * _LABELS:
            return
        ordered = sorted(self.labels.items(), key=lambda each: (-each[1], each[0]))
        kept = Counter(dict(ordered[:_LABELS]))
        kept[OTHERS] += sum(n for name, n in ordered[_LABELS:])
        self.labels = kept


class Stretches:
    """The stretches of a source, or of a part of it."""

    def __init__(self, width: int = LEAST_WIDTH) -> None:
        #: Rows of each, but for the last of the source.
        self.width = width
        self._found: dict[int, RowStretch] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[tuple[int, RowStretch]]:
        """Each with the place of its first row, in their order."""
        return ((at * self.width, self._found[at]) for at in sorted(self._found))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stretches) and self.as_json() == other.as_json()

    __hash__ = None  # type: ignore[assignment] # they change

    def answered(self, place: int, label: str, score: float | None) -> None:
        """Count an answered row: its first label, "" without, and its highest score."""
        stretch = self._at(place)
        stretch.rows += 1
        stretch.count(label)
        if score is not None and 0 <= score <= 1:
            stretch.scores[min(SCORE_BINS - 1, int(score * SCORE_BINS))] += 1

    def failed(self, place: int) -> None:
        """Count a row that has no answer."""
        stretch = self._at(place)
        stretch.rows += 1
        stretch.failed += 1

    def _at(self, place: int) -> RowStretch:
        found = self._found.get(place // self.width)
        if found is None:
            found = self._found[place // self.width] = RowStretch()
            if len(self._found) > MOST:
                self.widen(self.width * 2)
                return self._at(place)
        return found

    def widen(self, width: int) -> None:
        """Put stretches together until each has so many rows, and there are no more than `MOST`."""
        while self.width < width or len(self._found) > MOST:
            before, self._found = self._found, {}
            for at in sorted(before):
                known = self._found.get(at // 2)
                if known is None:
                    self._found[at // 2] = before[at]
                else:
                    known.add(before[at])
            self.width *= 2

    def add(self, other: Stretches, moved: int = 0) -> None:
        """Count those of another part, whose rows are `moved` places further on than they say."""
        if other.width > self.width:
            self.widen(other.width)
        for first, stretch in other:
            place = max(0, first + moved) // self.width
            self._found.setdefault(place, RowStretch()).add(stretch)
        self.widen(self.width)

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        return {
            "width": self.width,
            "stretches": [
                {
                    "first": first,
                    "rows": stretch.rows,
                    "failed": stretch.failed,
                    "labels": dict(stretch.labels),
                    "scores": stretch.scores,
                }
                for first, stretch in self
            ],
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Stretches:
        """From what `as_json` told."""
        stretches = cls(told["width"])
        for each in told["stretches"]:
            stretches._found[each["first"] // stretches.width] = RowStretch(
                each["rows"], each["failed"], Counter(each["labels"]), each["scores"]
            )
        return stretches


#: Labels that a view of stretches has one by one.
_SHOWN_LABELS = 7


def stretches_view(stretches: Stretches) -> dict[str, Any]:
    """Stretches for people and charts: the commonest labels, and the rest of them together."""
    found = list(stretches)
    total = Counter[str]()
    for _, stretch in found:
        total.update(stretch.labels)
    ordered = sorted(total.items(), key=lambda each: (-each[1], each[0]))
    labels = [name for name, _ in ordered if name not in (NO_LABEL, OTHERS)][:_SHOWN_LABELS]
    return {
        "width": stretches.width,
        "labels": labels,
        "stretches": [_view(first, stretch, labels) for first, stretch in found],
    }


def _view(first: int, stretch: RowStretch, labels: Sequence[str]) -> dict[str, Any]:
    mean = stretch.mean_score
    counts = [stretch.labels.get(name, 0) for name in labels]
    none = stretch.labels.get(NO_LABEL, 0)
    return {
        "first": first,
        "rows": stretch.rows,
        "failed": stretch.failed,
        #: As many as there are `labels`.
        "labels": counts,
        "other_labels": stretch.answered - none - sum(counts),
        "no_label": none,
        "mean_score": None if mean is None else round(mean, 3),
        "scores": stretch.scores,
    }


def joined_stretches(parts: Iterable[Stretches]) -> Stretches:
    """Those of all parts of a source."""
    whole = Stretches()
    for part in parts:
        whole.add(part)
    return whole
