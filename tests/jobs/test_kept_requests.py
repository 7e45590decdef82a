"""What ended jobs were asked is kept for a while, as far as a budget of bytes goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from wherry.jobs import ClaimedJob, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.batches import forget_soon
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.keys import Keys
from wherry.jobs.read import request, result
from wherry.jobs.record import BatchStats
from wherry.jobs.recover import cancel, sweep
from wherry.jobs.submit import submit

from .conftest import GROUP

KEYS = Keys("wherry")
Make = Callable[..., NewJob]


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    return JobsSettings(
        redis_url=redis_url, result_ttl_s=500, kept_requests_bytes=1800, kept_requests_s=100
    )


@pytest.fixture
def ended(queue: Queue, settings: JobsSettings, new_job: Make) -> Callable[..., list[NewJob]]:
    """Jobs that one batch has ended."""

    def end(*jobs: NewJob, error: str = "") -> list[NewJob]:
        for job in jobs:
            queue.run(submit(job, settings))
        claimed = queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings)).jobs
        assert len(claimed) == len(jobs)
        outcomes = [outcome(job, error) for job in claimed]
        stats = BatchStats(group=GROUP, rows=len(jobs), max_rows=32, executions=1)
        assert len(queue.run(finish("w1", outcomes, stats, settings)).accepted) == len(jobs)
        return list(jobs)

    return end


def outcome(job: ClaimedJob, error: str) -> Outcome:
    if error:
        return Outcome(id=job.id, attempt=job.attempt, error_type=error, error="why")
    return Outcome(id=job.id, attempt=job.attempt, result=b"{}", header_length=2)


def asked(queue: Queue, settings: JobsSettings, job: NewJob) -> bytes | None:
    stored = queue.run(request(job.id, settings))
    return None if stored is None else stored.body


@pytest.mark.parametrize("error", ["", "backend_error"])
def test_a_request_outlives_its_job_for_a_while(queue, settings, new_job, ended, error):
    [job] = ended(new_job(payload=b"x" * 300, header_length=7), error=error)
    stored = queue.run(request(job.id, settings))
    assert (stored.body, stored.header_length) == (job.payload, 7)
    assert 0 < queue.redis.ttl(KEYS.payload(job.id, job.fingerprint)) <= 100
    assert (queue.run(result(job.id, settings)) is None) == bool(error)


def test_no_more_bytes_are_kept_than_the_budget_has(queue, settings, new_job, ended):
    jobs = ended(*(new_job(payload=b"x" * 300) for _ in range(5)))
    kept = [asked(queue, settings, job) is not None for job in jobs]
    assert kept == [True, True, True, False, False]
    [small] = ended(new_job(payload=b"x" * 90))
    assert asked(queue, settings, small) is not None, "what still fits is kept"


def test_the_budget_refills_with_time(queue, settings, new_job, ended):
    [_, second] = ended(new_job(payload=b"x" * 900), new_job(payload=b"x" * 900))
    assert asked(queue, settings, second) is None
    whole_at = int(queue.redis.hget(KEYS.totals, "kept_whole_at"))
    queue.redis.hset(KEYS.totals, "kept_whole_at", whole_at - 90_000)  # as 90 seconds later
    [third] = ended(new_job(payload=b"x" * 900))
    assert asked(queue, settings, third) == third.payload


def test_a_request_does_not_outlive_its_record(queue, settings, new_job, ended):
    short = settings.model_copy(update={"result_ttl_s": 50})
    queue.run(submit(job := new_job(), short))
    [claimed] = queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, short)).jobs
    queue.run(finish("w1", [outcome(claimed, "")], BatchStats(group=GROUP), short))
    assert queue.redis.ttl(KEYS.payload(job.id, job.fingerprint)) <= 50
    [other] = ended(new_job())
    queue.run(forget_soon([job.id, other.id], 60, settings))
    assert queue.redis.keys("wherry:pay:*") == []
    assert asked(queue, settings, other) is None


def test_the_same_job_may_come_again(queue, settings, new_job, ended):
    """Its payload is kept, and would run out: that of a job that waits must not."""
    [job] = ended(new_job())
    queue.redis.delete(KEYS.job(job.id))  # as when its record has run out before
    queue.run(submit(job, settings))
    assert queue.redis.ttl(KEYS.payload(job.id, job.fingerprint)) == -1


def test_who_waits_for_the_answer_has_its_request(queue, settings, new_job):
    """Nothing more is done for those that are answered at once and then forgotten soon."""
    queue.run(submit(job := new_job(), settings, brief_s=60))
    [claimed] = queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings)).jobs
    queue.run(finish("w1", [outcome(claimed, "")], BatchStats(group=GROUP), settings))
    assert asked(queue, settings, job) is None


def test_that_of_a_job_canceled_as_it_ran_goes(queue, settings, new_job):
    queue.run(submit(job := new_job(), settings))
    [claimed] = queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings)).jobs
    queue.run(cancel(job.id, settings))
    queue.run(finish("w1", [outcome(claimed, "")], BatchStats(group=GROUP), settings))
    assert asked(queue, settings, job) is None


@contextmanager
def memory_for(queue: Queue, share: float) -> Iterator[None]:
    """A limit of which that share is in use now."""
    used = queue.redis.info("memory")["used_memory"]
    before = queue.redis.config_get("maxmemory")["maxmemory"]
    queue.redis.config_set("maxmemory", int(used / share))
    try:
        yield
    finally:
        queue.redis.config_set("maxmemory", before)


def test_nothing_is_kept_where_half_of_the_memory_is_in_use(queue, settings, new_job, ended):
    with memory_for(queue, 0.6):
        [job] = ended(new_job())
        assert asked(queue, settings, job) is None
    with memory_for(queue, 0.3):
        [job] = ended(new_job())
        assert asked(queue, settings, job) is not None


def test_what_is_kept_makes_room_where_half_of_the_memory_is_in_use(
    queue, settings, new_job, ended
):
    """Else Redis would refuse what it took before."""
    first, again = ended(new_job(), new_job())
    queue.redis.delete(KEYS.job(again.id))  # as when its record has run out before
    queue.run(submit(again, settings))
    queue.run(sweep(settings))
    assert asked(queue, settings, first) is not None, "there is room"
    with memory_for(queue, 0.6):
        queue.run(sweep(settings))
    assert asked(queue, settings, first) is None
    assert asked(queue, settings, again) == again.payload, "that of a job that waits stays"
    assert not queue.redis.exists(KEYS.kept)


def test_the_list_of_what_is_kept_is_no_longer_than_that(queue, settings, new_job, ended):
    for _ in range(4):
        jobs = ended(*(new_job() for _ in range(2)))
        queue.redis.delete(*(KEYS.payload(job.id, job.fingerprint) for job in jobs))  # they run out
    assert queue.redis.llen(KEYS.kept) <= 4
    assert 0 < queue.redis.ttl(KEYS.kept) <= 100


def test_what_a_request_takes_beside_its_bytes_is_of_the_budget(queue, settings, new_job, ended):
    jobs = ended(*(new_job(payload=b"x") for _ in range(20)))
    assert sum(asked(queue, settings, job) is not None for job in jobs) == 8, "not all 20 bytes"
