"""Drift is told where rows plainly differ, and nowhere in rows that are shuffled."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from wherry.tasks.annotations.drift import drift_notes, drifts
from wherry.tasks.annotations.stretches import Stretches

Row = tuple[str, float] | None


def counted(rows: Iterable[Row]) -> Stretches:
    stretches = Stretches()
    for place, row in enumerate(rows):
        if row is None:
            stretches.failed(place)
        else:
            stretches.answered(place, *row)
    return stretches


def drawn(count: int, labels: int, chance: random.Random) -> list[Row]:
    """Rows of labels that are not equally common, some of which failed."""
    names = [f"label {n}" for n in range(labels)]
    weights = [1 / (n + 1) for n in range(labels)]
    picked = chance.choices(names, weights, k=count)
    rows: list[Row] = [(name, chance.betavariate(5, 2)) for name in picked]
    return [None if chance.random() < 0.05 else row for row in rows]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("count", "labels"), [(700, 3), (9000, 10), (9000, 1000), (4000, 80)])
def test_shuffled_rows_raise_no_alarm(count: int, labels: int, seed: int) -> None:
    found = drifts(counted(drawn(count, labels, random.Random(seed))))
    assert not found, drift_notes(found)


def test_rows_that_follow_their_neighbours_a_little_raise_none() -> None:
    chance = random.Random(4)
    rows = drawn(20_000, 10, chance)
    for place in range(1, len(rows)):
        if chance.random() < 0.3:  # as frames of a film do
            rows[place] = rows[place - 1]
    assert not drifts(counted(rows))


def test_a_stretch_of_another_label_is_named() -> None:
    chance = random.Random(1)
    rows = drawn(100_000, 10, chance)
    for place in range(40_000, 44_000):
        if chance.random() < 0.6:
            rows[place] = ("label 7", 0.7)
    [drift] = [each for each in drifts(counted(rows)) if each.what == "labels"]
    assert drift.which == "label 7"
    assert drift.first <= 40_000 < 44_000 <= drift.end
    assert drift.end - drift.first <= 9600  # no more than the stretches that it touches
    assert "'label 7'" in drift_notes([drift])[0]


def test_lower_scores_are_named() -> None:
    chance = random.Random(2)
    rows = drawn(40_000, 5, chance)
    rows[16_000:19_200] = [("label 0", chance.betavariate(2, 5)) for _ in range(3200)]
    found = [each for each in drifts(counted(rows)) if each.what == "scores"]
    assert [each.which for each in found] == ["lower"]
    assert found[0].first <= 16_000 < 19_200 <= found[0].end


def test_failures_that_come_together_are_named() -> None:
    rows = drawn(10_000, 5, random.Random(3))
    rows[4000:4300] = [None] * 300
    [drift] = drifts(counted(rows))
    assert (drift.what, drift.first, drift.end) == ("failed", 4000, 4400)
    assert drift_notes([drift]) == ["rows 4,000-4,399: failed 100%, elsewhere 6%"]


def test_the_last_rows_end_where_the_source_does() -> None:
    rows = drawn(10_090, 5, random.Random(3))
    rows[9600:] = [None] * 490
    drift = drifts(counted(rows))[-1]
    assert drift.end == 10_090


def test_a_source_in_the_order_of_its_labels_is_told_in_a_few_words() -> None:
    rows: list[Row] = [(f"folder {place // 1000}", 0.9) for place in range(20_000)]
    found = drifts(counted(rows))
    assert len(found) == 20
    notes = drift_notes(found)
    assert len(notes) == 6
    assert notes[-1].startswith("15 more")


def test_few_rows_say_nothing() -> None:
    rows: list[Row] = [*[("a", 0.9)] * 100, *[("b", 0.1)] * 40]
    assert drifts(counted(rows)) == []
    assert drifts(Stretches()) == []
