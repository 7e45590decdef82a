"""Who writes the fleet's history, and that nothing hangs on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.fleet import FleetView, heartbeat, view
from wherry.jobs.history import SERIES
from wherry.jobs.keys import Keys
from wherry.jobs.record import BatchStats
from wherry.jobs.settings import JobsSettings
from wherry.tasks.backends.device import Device
from wherry.workers.historian import Historian
from wherry.workers.timing import RecentLoad

from .conftest import GROUP

EMPTY = FleetView((), {}, frozenset(), {}, {}, 0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    return JobsSettings(redis_url=redis_url)


@pytest.fixture
def queue(settings: JobsSettings) -> Iterator[Queue]:
    queue = Queue(settings.redis_url)
    yield queue
    queue.close()


def test_one_asks_again_when_the_next_point_is_due(queue: Queue, settings: JobsSettings) -> None:
    clock, redis = Clock(), queue.redis
    queue.run(heartbeat("w1", {}, settings))
    fleet = queue.run(view(settings))
    historian = Historian(queue, settings, clock)
    counted = Keys(settings.key_prefix).counted(SERIES[0].period_s)
    historian.look(fleet)
    redis.delete(counted)
    historian.look(fleet)
    assert not redis.exists(counted), "it was asked a moment ago"
    clock.now += SERIES[0].period_s
    historian.look(fleet)
    assert redis.exists(counted)


def test_a_point_that_cannot_be_written_stops_nothing(
    queue: Queue, settings: JobsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    clock, redis = Clock(), queue.redis
    historian = Historian(queue, settings, clock)
    counted = Keys(settings.key_prefix).counted(SERIES[0].period_s)
    redis.set(counted, "not a hash")
    for _ in range(3):
        historian.look(EMPTY)
        clock.now += SERIES[0].period_s
    assert caplog.text.count("the last 3600 s is not written") == 1
    redis.delete(counted)
    historian.look(EMPTY)
    assert redis.exists(counted)


class Busy(Device):
    """A device that has computed for as long as the test says."""

    seconds = 0.0

    @property
    def busy_so_far_s(self) -> float:
        return self.seconds


def test_the_recent_load_is_of_the_last_minute() -> None:
    clock, device = Clock(), Busy()
    load = RecentLoad(device, clock)

    def after(beats: int, *, rows: int) -> Mapping[str, float]:
        measured: Mapping[str, float] = {}
        for _ in range(beats):
            clock.now += 5
            device.seconds += 5 * (rows > 0)
            if rows:
                load.ran(BatchStats(group=GROUP, rows=rows, max_rows=8))
            measured = load.measure()
        return measured

    assert load.measure() == {"busy_share": 0}
    assert after(12, rows=4) == {"busy_share": 1, "batch_fill": 0.5}
    assert after(6, rows=0)["busy_share"] == pytest.approx(0.5, abs=0.1)
    assert after(7, rows=0) == {"busy_share": 0}
    assert after(2, rows=8) == {"busy_share": pytest.approx(1 / 6, abs=0.03), "batch_fill": 1}


def test_who_holds_the_device_is_busy_though_no_batch_has_ended() -> None:
    device = Device()
    with device.compute():
        first = device.busy_so_far_s
        assert device.busy_so_far_s > first > 0
        assert device.busy_s == 0
    assert device.busy_so_far_s == device.busy_s
