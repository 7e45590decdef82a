"""A model's counters: sums over requests, as Triton's statistics extension has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from wherry.jobs import JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.fleet import stats
from wherry.jobs.keys import Keys
from wherry.jobs.record import BatchStats
from wherry.jobs.submit import submit

from .conftest import GROUP

Make = Callable[..., NewJob]

#: 10 ms in all: 2 of them waiting for the device, 5 computing, 1 writing, so 2 reading.
TOOK: dict[str, Any] = {
    "waited_us": 2000,
    "compute_us": 5000,
    "output_us": 1000,
    "total_us": 10_000,
}


@pytest.fixture
def ran(queue: Queue, settings: JobsSettings, new_job: Make) -> Callable[..., dict[str, int]]:
    """Run a batch of jobs, of which some fail, and read the counters."""

    def run(*sizes: int, jobs: int, bad: int = 0) -> dict[str, int]:
        for _ in range(jobs):
            queue.run(submit(new_job(), settings))
        claimed = queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings))
        outcomes = [
            Outcome(id=job.id, attempt=1, error_type="invalid_row" if number < bad else "")
            for number, job in enumerate(claimed.jobs)
        ]
        batch = BatchStats(
            group=GROUP, rows=jobs, max_rows=32, executions=len(sizes), sizes=sizes, **TOOK
        )
        assert len(queue.run(finish("w1", outcomes, batch, settings)).accepted) == jobs
        return queue.run(stats(GROUP.model, GROUP.version, settings))

    return run


def test_each_request_took_as_long_as_its_batch(ran: Callable[..., dict[str, int]]) -> None:
    counted = ran(3, jobs=3)
    assert counted["success_count"] == 3
    assert [counted[f"{part}_us"] for part in ("input", "compute", "output")] == [
        3 * 2000,
        3 * 5000,
        3 * 1000,
    ]
    assert counted["queue_us"] >= 3 * 2000, "what waits for the device waits in a queue"
    assert counted["success_us"] >= counted["queue_us"] + 3 * 8000


def test_what_failed_counts_apart(ran: Callable[..., dict[str, int]]) -> None:
    counted = ran(4, jobs=4, bad=3)
    assert (counted["success_count"], counted["fail_count"]) == (1, 3)
    assert counted["compute_us"] == 5000
    assert counted["fail_us"] >= 3 * 10_000
    assert counted["success_us"] >= 10_000
    assert (counted["inference_count"], counted["execution_count"]) == (4, 1)


def test_forwards_are_counted_by_size(ran: Callable[..., dict[str, int]]) -> None:
    ran(2, jobs=2)
    counted = ran(2, 2, 4, jobs=8)
    assert (counted["size 2 count"], counted["size 4 count"]) == (3, 1)
    assert counted["size 2 compute_us"] == 5000 + 2500
    assert counted["size 4 compute_us"] == 2500
    assert counted["execution_count"] == 4


def test_times_of_an_older_version_are_not_added_to(
    ran: Callable[..., dict[str, int]], redis_url: str, settings: JobsSettings, queue: Queue
) -> None:
    # They were sums over batches.
    key = Keys(settings.key_prefix).stats(GROUP.model, GROUP.version)
    old = {
        "success_count": 100,
        "total_us": 7,
        "queue_us": 5,
        "compute_us": 6,
        "execution_count": 9,
    }
    with Redis.from_url(redis_url) as redis:
        redis.hset(key, mapping=old)
        assert queue.run(stats(GROUP.model, GROUP.version, settings)) == old
        counted = ran(1, jobs=1)
    assert (counted["success_count"], counted["compute_us"]) == (1, 5000)
    assert "total_us" not in counted
