"""What one tenant may have in the queue, and what it is told past that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.recover import cancel
from wherry.jobs.submit import submit
from wherry.jobs.tenants import TenantLimits
from wherry.protocol import errors

ANN = Group("vision", "digits", "1", tenant="ann/ü")
Make = Callable[..., NewJob]


def claim_one(queue: Queue, settings: JobsSettings) -> None:
    budgets = {ANN.model_id: BatchBudget(max_rows=1)}
    assert queue.run(claim(ANN, "w1", budgets, settings)).jobs


def test_waiting_jobs_are_limited_over_all_groups(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    def add(group: Group = ANN) -> str:
        limits = TenantLimits(max_waiting=3)
        return queue.run(submit(new_job(group=group, limits=limits), settings)).id

    first = add()
    add(replace(ANN, family="text", priority=9))
    add(replace(ANN, model="other"))
    with pytest.raises(errors.TenantLimit, match="max_waiting of 3") as raised:
        add(replace(ANN, priority=1))
    assert raised.value.retry_after_s >= 1
    assert queue.run(submit(new_job(), settings)).created, "others are not touched"
    queue.run(cancel(first, settings))
    add()
    for _ in range(2):  # one of each tenant
        claim_one(queue, settings)
    add()


def test_waiting_bytes_are_limited(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    def add(size: int) -> bool:
        job = new_job(group=ANN, payload=b"x" * size, limits=TenantLimits(max_waiting_bytes=1000))
        return queue.run(submit(job, settings)).created

    assert add(600)
    with pytest.raises(errors.TenantLimit, match="max_waiting_bytes of 1000"):
        add(401)
    assert add(400)
    with pytest.raises(errors.PayloadTooLarge):
        add(1001)
    claim_one(queue, settings)
    assert add(600)


def test_the_submit_rate_is_limited_and_says_when_to_come_back(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    def add(rate: float) -> bool:
        job = new_job(group=ANN, limits=TenantLimits(submits_per_s=rate))
        return queue.run(submit(job, settings)).created

    assert add(0.25)
    with pytest.raises(errors.TenantLimit, match="submits_per_s of 0.25") as raised:
        add(0.25)
    assert raised.value.retry_after_s in (3, 4)
    assert 0 < queue.redis.pttl("wherry:bucket:ann%2F%C3%BC") <= 4000, "nothing stays behind"
    queue.redis.delete("wherry:bucket:ann%2F%C3%BC")
    started, taken = time.monotonic(), 0
    while taken < 100:
        try:
            taken += add(50)
        except errors.TenantLimit:
            time.sleep(0.005)
    assert time.monotonic() - started >= 0.9, "fifty at once, then fifty a second"


def test_a_known_job_costs_no_allowance(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job(group=ANN, limits=TenantLimits(max_waiting=1, submits_per_s=0.01))
    assert queue.run(submit(job, settings)).created
    assert not queue.run(submit(job, settings)).created


def test_a_refused_job_leaves_nothing(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    limits = TenantLimits(max_waiting=1, submits_per_s=100)
    queue.run(submit(new_job(group=ANN, limits=limits), settings))
    before = set(queue.redis.keys())
    with pytest.raises(errors.TenantLimit):
        queue.run(submit(new_job(group=ANN, limits=limits), settings))
    assert set(queue.redis.keys()) <= before
