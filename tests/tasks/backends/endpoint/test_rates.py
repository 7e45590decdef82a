from __future__ import annotations

import pytest

from wherry.protocol.errors import Unavailable
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


def test_others_take_as_much() -> None:
    clock = Clock()
    allowance = Allowance(60, clock)
    allowance.share(3)
    taken(allowance, clock, 0)
    assert taken(allowance, clock, 60) == 20
    allowance.share(1)
    taken(allowance, clock, 0)
    assert taken(allowance, clock, 60) == 60


def test_what_others_spent_counts() -> None:
    clock = Clock()
    fleet: dict[int, float] = {}

    def told(day: int, amount: float) -> float:
        fleet[day] = fleet.get(day, 0.0) + amount
        return fleet[day]

    one, two = (Spending(Prices(1e6, 1e6, 10.0), clock) for _ in range(2))
    one.add(4, 0)
    one.settle(told)
    two.add(3, 3)
    assert two.spent == 6.0
    two.settle(told)
    assert two.spent == 10.0
    assert two.rest_s > 0
    assert one.rest_s == 0
    one.settle(told)
    one.settle(told)
    assert one.spent == 10.0, "nothing is told twice"
    assert one.rest_s > 0
    again = Spending(Prices(1e6, 1e6, 10.0), clock)
    again.settle(told)
    assert again.rest_s > 0, "a restart forgets nothing"


def test_what_could_not_be_told_is_told_the_next_time() -> None:
    spending, fleet = Spending(Prices(1e6, 0.0, 10.0), Clock()), list[float]()

    def away(day: int, amount: float) -> float:
        raise Unavailable

    def told(day: int, amount: float) -> float:
        fleet.append(amount)
        return sum(fleet)

    spending.add(2, 0)
    with pytest.raises(Unavailable):
        spending.settle(away)
    spending.add(1, 0)
    spending.settle(told)
    assert fleet == [3.0]
    assert spending.spent == 3.0
