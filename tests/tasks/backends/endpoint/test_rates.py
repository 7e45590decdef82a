from __future__ import annotations

import pytest

from wherry.tasks.backends.endpoint.rates import Allowance, Prices, Spending


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def taken(allowance: Allowance, clock: Clock, seconds: float, amount: float = 1) -> int:
    """How often that much can be taken in some seconds, by who waits as long as told."""
    end, times = clock.now + seconds, 0
    while True:
        rest_s = allowance.take(amount)
        if not rest_s:
            times += 1
            continue
        if clock.now + rest_s > end:
            clock.now = end
            return times
        clock.now += rest_s


def test_no_minute_has_more_than_its_allowance_and_the_burst() -> None:
    clock = Clock()
    allowance = Allowance(60, clock)
    assert taken(allowance, clock, 0) == 10, "what ten seconds have, at once"
    assert taken(allowance, clock, 60) == 60
    clock.now += 3600
    assert taken(allowance, clock, 0) == 10, "an idle hour saves no more"


def test_what_is_more_than_there_can_be_is_had_and_owed() -> None:
    clock = Clock()
    allowance = Allowance(600, clock)
    assert allowance.take(400) == 0.0
    assert allowance.take(1) == pytest.approx(30.1)


def test_what_an_answer_took_is_settled() -> None:
    clock = Clock()
    allowance = Allowance(600, clock)
    assert allowance.take(100) == 0.0
    allowance.settle(-60)
    assert allowance.take(60) == 0.0
    allowance.settle(50)
    assert allowance.take(10) == pytest.approx(6.0)


def test_no_allowance_is_no_bound() -> None:
    assert Allowance(0).take(10**9) == 0.0


def test_a_day_may_cost_so_much_and_the_next_begins_anew() -> None:
    clock = Clock(86_400 * 20_000 + 3600.0)
    spending = Spending(Prices(1.0, 4.0, 10.0), clock)
    spending.add(1_000_000, 2_000_000)
    assert spending.spent == 9.0
    assert spending.rest_s == 0
    spending.add(1_000_000, 0)
    assert spending.rest_s == 23 * 3600
    clock.now += 23 * 3600
    assert spending.rest_s == 0
    assert spending.spent == 0
