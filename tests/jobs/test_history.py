"""The fleet's history: one point a slot whoever asks, right sums, bounded, old workers too."""

from __future__ import annotations

import time
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.fleet import heartbeat, view
from wherry.jobs.history import SERIES, HistoryPoint, Series, read_history, sample
from wherry.jobs.keys import Keys
from wherry.jobs.recover import cancel

from .fleet import GROUP, HEAVY, Fleet

KEYS = Keys("wherry")
FINE = SERIES[0]


class Keeper:
    """Looks at the fleet as a keeper does, with slots that end when the test says so."""

    def __init__(self, queue: Queue, settings: JobsSettings, series: Series = FINE) -> None:
        self.queue, self.settings, self.series = queue, settings, series
        self.redis: Any = queue.redis  # redis-py types an answer as all it may ever be
        self.beat()

    def beat(self, worker: str = "w1", **info: object) -> None:
        told = {"served": [GROUP.model_id, HEAVY.model_id], "busy_share": 0.5, **info}
        self.queue.run(heartbeat(worker, told, self.settings))

    def sample(self) -> float:
        fleet = self.queue.run(view(self.settings))
        return self.queue.run(sample(self.series, fleet, self.settings))

    def next_slot(self, later_ms: int = 0) -> None:
        passed = later_ms or self.series.period_s * 1000
        self.redis.hincrby(KEYS.counted(self.series.period_s), "at", -passed)
        self.sample()

    def points(self, model_id: str = "", since_ms: int = 0) -> tuple[HistoryPoint, ...]:
        return self.queue.run(read_history(self.series, since_ms, self.settings, model_id))


@pytest.fixture
def keeper(queue: Queue, settings: JobsSettings) -> Keeper:
    return Keeper(queue, settings)


def test_a_point_says_what_happened_since_the_one_before(keeper: Keeper, fleet: Fleet) -> None:
    fleet.add(GROUP, 3)
    fleet.run()
    keeper.sample()
    assert keeper.points() == (), "nobody knows since when"
    fleet.add(GROUP, 8)
    fleet.add(HEAVY, 2)
    fleet.run()
    keeper.next_slot()
    [point] = keeper.points()
    values = dict(point.values)
    assert 10_000 <= values.pop("for_ms") < 20_000
    assert values.pop("oldest_ms") < 10_000
    assert values == {
        "submitted": 10,
        "succeeded": 8,
        "failed": 0,
        "canceled": 0,
        "rows": 8,
        "places": 8,
        "device_us": 8000,
        "waiting": 2,
        "running": 0,
        "workers": 1,
        "busy_permille": 500,
    }
    assert sum(point.took.values()) == 8
    assert 0.4 < point.per_s("succeeded") <= 0.8


def test_models_have_series_of_their_own(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    fleet.add(GROUP, 2)
    fleet.run()
    [queued, kept] = fleet.add(HEAVY, 2)
    fleet.queue.run(cancel(queued, fleet.settings))
    keeper.next_slot()
    [light], [heavy] = keeper.points(GROUP.model_id), keeper.points(HEAVY.model_id)
    assert (light.values["succeeded"], light.values["waiting"]) == (2, 0)
    assert (heavy.values["succeeded"], heavy.values["waiting"]) == (0, 1)
    fleet.queue.run(cancel(kept, fleet.settings))
    keeper.next_slot()
    assert len(keeper.points()) == 2
    assert len(keeper.points(GROUP.model_id)) == 1, "it did nothing"


def test_a_models_point_is_found_beside_the_fleets(keeper: Keeper, fleet: Fleet) -> None:
    """By its id, also where the clock was put back after the point before."""
    ahead = f"{int(time.time() * 1000) + 3_600_000}-0"
    keeper.redis.xadd(KEYS.history(FINE.period_s), {"for_ms": 1}, id=ahead)
    keeper.sample()
    fleet.add(GROUP)
    fleet.run()
    keeper.next_slot()
    assert [point.id for point in keeper.points(GROUP.model_id)] == [keeper.points()[-1].id]


def test_all_keepers_may_ask_and_one_point_is_written(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    fleet.add(GROUP, 1)
    keeper.next_slot()
    for _ in range(3):
        assert 0 < keeper.sample() <= FINE.period_s
    assert [point.values["submitted"] for point in keeper.points()] == [1]


def test_a_gap_is_one_longer_point(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    fleet.add(GROUP, 6)
    keeper.next_slot(later_ms=60_000)
    [point] = keeper.points()
    assert point.per_s("submitted") == pytest.approx(0.1, rel=0.2)


def test_a_clock_that_was_put_back_holds_nothing_up(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    fleet.add(GROUP, 5)
    keeper.next_slot(later_ms=-3_600_000)
    [point] = keeper.points()
    assert point.per_s("submitted") == 0.5, "in about a slot, not in no time"


def test_counters_that_began_anew_are_no_loss(keeper: Keeper, fleet: Fleet) -> None:
    fleet.add(GROUP, 5)
    fleet.run()
    keeper.sample()
    keeper.redis.delete(KEYS.stats(GROUP.model, GROUP.version), KEYS.totals)
    fleet.add(GROUP, 2)
    fleet.run()
    keeper.next_slot()
    [point] = keeper.points()
    assert (point.values["succeeded"], point.values["rows"]) == (2, 2)


def test_series_are_bounded(queue: Queue, settings: JobsSettings, fleet: Fleet) -> None:
    short = Keeper(queue, settings, Series(1, 20))
    short.sample()
    for _ in range(150):
        short.redis.hincrbyfloat(KEYS.stats(GROUP.model, GROUP.version), "success_count", 1)
        short.next_slot()
    names = {key.decode() for key in short.redis.scan_iter("wherry:history:*")}
    assert names == {KEYS.history(1), f"{KEYS.history(1)}:{GROUP.model_id}"}
    for name in names:
        assert short.redis.xlen(name) <= 120, "whole nodes of a hundred points are dropped"
        assert 0 < short.redis.pttl(name) <= 20_000
    assert 0 < short.redis.pttl(KEYS.counted(1)) <= 20_000


def test_a_point_of_a_busy_model_takes_little(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    took, points = KEYS.took(GROUP.model_id), 60
    for number in range(points):
        with keeper.redis.pipeline() as pipe:
            for step in range(40, 60):  # twenty steps are times that differ 32-fold
                pipe.hincrby(took, str(step), 1000 + number)
            pipe.execute()
        keeper.next_slot()
    taken = keeper.redis.memory_usage(f"{KEYS.history(10)}:{GROUP.model_id}", samples=0)
    assert taken / points < 250


def test_a_model_that_nobody_serves_is_forgotten(keeper: Keeper, fleet: Fleet) -> None:
    keeper.sample()
    assert f"model {HEAVY.model_id}".encode() in keeper.redis.hkeys(KEYS.counted(10))
    keeper.beat(served=[GROUP.model_id])
    keeper.next_slot()
    assert f"model {HEAVY.model_id}".encode() not in keeper.redis.hkeys(KEYS.counted(10))


def test_workers_of_an_older_version_are_no_fault(keeper: Keeper, fleet: Fleet) -> None:
    """They tell neither what they serve nor how busy they are, and count no times."""
    keeper.queue.run(heartbeat("old", {"models": ["digits"]}, keeper.settings))
    keeper.sample()
    stats = KEYS.stats(GROUP.model, GROUP.version)
    keeper.redis.hset(stats, mapping={"success_count": 4, "inference_count": 4, "capacity": 8})
    keeper.next_slot()
    [point] = keeper.points(GROUP.model_id)
    assert (point.values["succeeded"], point.values["places"], point.took) == (4, 8, {})
    assert point.quantile_ms(0.5) is None
    [whole] = keeper.points()
    assert (whole.values["workers"], whole.values["busy_permille"]) == (2, 500)


def test_only_what_is_new_is_read(keeper: Keeper) -> None:
    keeper.sample()
    for _ in range(3):
        keeper.next_slot()
    first, *rest = keeper.points()
    assert keeper.points(since_ms=first.at_ms) == tuple(rest)


def test_quantiles_are_as_exact_as_a_step() -> None:
    took = {4 * 20: 50, 4 * 21: 49, 4 * 23: 1}  # about 1 s, 2 s, 8 s
    point = HistoryPoint(id="0-0", values={}, took=took)
    assert point.quantile_ms(0.5) == pytest.approx(2**20.25 / 1000)
    assert point.quantile_ms(0.99) == pytest.approx(2**21.25 / 1000)
    assert point.quantile_ms(1) == pytest.approx(2**23.25 / 1000)
