"""What a bench says of a state's cost, and how sure it is of that."""

from __future__ import annotations

import random

import pytest
from bench.in_turn import Ratio


def rounds(cost: float, spread: float, count: int = 101) -> tuple[list[float], list[float]]:
    """CPU of a state and of the first, on a machine that is now quick and now slow."""
    chance = random.Random(1)  # not for secrets
    pace = [chance.uniform(100, 300) for _ in range(count)]
    mine = [cost * each * chance.lognormvariate(0, spread) for each in pace]
    return mine, pace


def test_the_machines_pace_is_no_part_of_a_ratio() -> None:
    assert Ratio.of(*rounds(1.02, 0.0)) == pytest.approx((1.02, 1.02, 1.02))


def test_the_bounds_hold_what_it_is_and_are_narrow() -> None:
    found = Ratio.of(*rounds(1.02, 0.05))
    assert found.low < 1.02 < found.high
    assert found.high - found.low < 0.03


def test_rounds_that_met_something_else_count_little() -> None:
    mine, first = rounds(1.02, 0.01)
    for number in range(0, len(mine), 10):
        mine[number] *= 5
    assert Ratio.of(mine, first).median == pytest.approx(1.02, abs=0.01)


def test_a_few_rounds_say_little() -> None:
    mine, first = rounds(1.02, 0.05, count=3)
    found = Ratio.of(mine, first)
    assert found.low <= found.median <= found.high
    assert found.high - found.low > 0.02
