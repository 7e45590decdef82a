"""When a waiting job should start: told from shares and pace, within what the books know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Queue
from wherry.jobs.estimate import Flow, Pace
from wherry.jobs.keys import Keys
from wherry.jobs.read import read
from wherry.jobs.record import JobRecord
from wherry.jobs.submit import submit

GROUP = Group("vision", "digits", "1")
NOW = 1_000_000
Make = Callable[..., NewJob]


def pace(**flows: tuple[float, int]) -> Pace:
    """A hundred jobs a second, in batches of ten."""
    return Pace(
        jobs=1000,
        batches=100,
        busy_ms=10_000,
        ended_at_ms=NOW,
        waits_since_ms=NOW,
        flows={name: Flow(*flow) for name, flow in flows.items()},
    )


@pytest.mark.parametrize(
    ("ahead", "flows", "expected_ms"),
    [
        (100, {"me": (1.0, 200)}, 1000),
        (100, {"me": (1.0, 200), "other": (1.0, 1000)}, 2000),
        (100, {"me": (1.0, 200), "other": (3.0, 1000)}, 4000),
        (100, {"me": (1.0, 200), "other": (3.0, 50)}, 1500),  # it runs out of jobs
        (100, {"me": (8.0, 200), "bulk": (1.0, 100_000)}, 1125),
        (0, {"me": (8.0, 1), "bulk": (1.0, 100_000)}, 50),  # half the time between two batches
    ],
)
def test_others_are_served_by_their_weight_as_long_as_they_wait(
    ahead: int, flows: dict[str, tuple[float, int]], expected_ms: int
) -> None:
    start = pace(**flows).start_ms(ahead, "me", NOW)
    assert start == pytest.approx(NOW + expected_ms, abs=1)


def test_nothing_is_promised_where_nothing_is_known() -> None:
    assert Pace().start_ms(3, "me", NOW) is None
    assert pace(me=(1.0, 5)).start_ms(3, "me", NOW + 10_399) is not None
    assert pace(me=(1.0, 5)).start_ms(3, "me", NOW + 10_401) is None, "the workers are gone"
    fresh = replace(pace(me=(1.0, 5)), ended_at_ms=0)
    assert fresh.start_ms(3, "me", NOW + 1) is not None, "a pause without jobs says nothing"


def place(queue: Queue, settings: JobsSettings, job_id: str) -> JobRecord:
    [found] = queue.run(read([job_id], settings))
    assert found is not None
    return found


def test_the_position_counts_the_flow_by_priority_and_turns(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    def add(count: int, **changes: object) -> list[str]:
        group = replace(GROUP, **changes)  # type: ignore[arg-type] # the test names real fields
        return [queue.run(submit(new_job(group=group), settings)).id for _ in range(count)]

    mine = add(5)
    assert place(queue, settings, mine[4]).queue_position == 4
    add(7, priority=1)
    add(9, priority=8)
    add(11, tenant="ann")
    add(13, priority=9)
    assert place(queue, settings, mine[4]).queue_position == 4 + 7
    add(3, model="other")
    add(30, digest="d")
    assert place(queue, settings, mine[4]).queue_position == 4 + 7 + 3 + 4


def test_the_estimate_is_made_of_what_redis_counts(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    for number in range(10):
        queue.run(submit(new_job(id=f"mine-{number}", weight=2.0), settings))
        queue.run(submit(new_job(group=replace(GROUP, tenant="ann")), settings))
    assert place(queue, settings, "mine-9").estimated_start_at_ms is None
    key = Keys("wherry").pace("vision")
    seconds, _ = queue.redis.time()
    now_ms = int(seconds) * 1000
    known: dict[Any, Any] = {"at": now_ms, "jobs": 100, "batches": 10, "busy_ms": 100_000}
    queue.redis.hset(key, mapping=known)
    start = place(queue, settings, "mine-9").estimated_start_at_ms
    assert start is not None
    assert start - now_ms == pytest.approx((9 + 4.5) * 1000, abs=2000), "1 s a job, weights 2 and 1"
