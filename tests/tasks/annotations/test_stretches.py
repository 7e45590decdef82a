"""Stretches: few of them however many rows, and the same whatever parts the rows came in."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest

from wherry.tasks.annotations.stretches import (
    LEAST_WIDTH,
    MOST,
    Stretches,
    joined_stretches,
    stretches_view,
)


def counted(first: int, end: int) -> Stretches:
    stretches = Stretches()
    for place in range(first, end):
        if place % 7 == 3:
            stretches.failed(place)
        else:
            stretches.answered(place, f"label {place * place % 11}", place % 20 / 20 + 0.01)
    return stretches


@pytest.mark.parametrize("count", [0, 1, 49, 50, 2500, 2501, 123_457])
def test_there_are_few_and_each_row_is_in_one(count: int) -> None:
    stretches = counted(0, count)
    found = list(stretches)
    assert len(found) <= MOST
    assert sum(each.rows for _, each in found) == count
    assert all(first % stretches.width == 0 for first, _ in found)
    assert stretches.width == LEAST_WIDTH or len(found) > MOST // 2
    for first, each in found[:-1]:
        assert each.rows == stretches.width
        assert each.failed == sum(p % 7 == 3 for p in range(first, first + stretches.width))
        assert sum(each.labels.values()) == sum(each.scores) == each.answered


@pytest.mark.parametrize("seed", range(5))
def test_parts_come_to_what_the_whole_does(seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted({0, 30_011, *(chance.randrange(30_011) for _ in range(12))})
    parts = [counted(a, b) for a, b in pairwise(cuts)]
    chance.shuffle(parts)
    read = [Stretches.of_json(json.loads(json.dumps(part.as_json()))) for part in parts]
    assert joined_stretches(read).as_json() == counted(0, 30_011).as_json()


def test_labels_without_end_are_put_together() -> None:
    stretches = Stretches()
    for place in range(40_000):
        stretches.answered(place, "often" if place % 2 else f"once {place}", 0.5)
    assert all(len(each.labels) <= 512 for _, each in stretches)
    view = stretches_view(stretches)
    assert view["labels"][0] == "often"
    for each in view["stretches"]:
        assert each["labels"][0] == each["rows"] // 2
        assert sum(each["labels"]) + each["other_labels"] + each["no_label"] == each["rows"]


def test_scores_that_are_none_are_not_counted() -> None:
    stretches = Stretches()
    for score in (None, float("nan"), -3.0, 17.5, 0.0, 1.0):
        stretches.answered(0, "a", score)
    [(_, only)] = stretches
    assert (only.scores[0], only.scores[-1], sum(only.scores)) == (1, 1, 2)
    assert only.mean_score == pytest.approx(0.5)
