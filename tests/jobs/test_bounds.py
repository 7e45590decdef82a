"""Every key is bounded by what lives: jobs come and go, and nothing of them stays."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import ClaimedJob, Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.keys import Keys
from wherry.jobs.read import list_jobs, read
from wherry.jobs.record import BatchStats
from wherry.jobs.recover import cancel, keep, reap, reissue, sweep
from wherry.jobs.submit import submit
from wherry.jobs.webhooks import Settled, settle_webhook, take_webhooks

GROUP = Group("vision", "digits", "1")
OTHER = replace(GROUP, model="waits")
BATCH = 64
BUDGETS = {GROUP.model_id: BatchBudget(max_rows=BATCH)}
PREFIX = "bounds"
KEYS = Keys(PREFIX)
Make = Callable[..., NewJob]


@pytest.fixture
def settings(settings: JobsSettings) -> JobsSettings:
    """Keys that nobody else writes: an API of other tests may live beside."""
    return settings.model_copy(update={"key_prefix": PREFIX})


@pytest.fixture
def brief(settings: JobsSettings) -> JobsSettings:
    """Ended jobs stay for a second."""
    return settings.model_copy(update={"result_ttl_s": 1})


def pipelined(queue: Queue, calls: list[Any]) -> list[Any]:
    """The calls in one round trip; all their scripts are known."""
    with queue.redis.pipeline(transaction=False) as pipe:
        for call in calls:
            call.queue_on(pipe)
        replies = iter(pipe.execute())
    return [call.read([next(replies) for _ in call.commands]) for call in calls]


def come_and_go(queue: Queue, settings: JobsSettings, new_job: Make, count: int) -> Iterator[int]:
    """That many jobs, submitted, claimed and finished; the index's size after each few thousand."""
    redis: Any = queue.redis
    for begin in range(0, count, BATCH):
        jobs = [new_job() for _ in range(BATCH)]
        pipelined(queue, [submit(job, settings) for job in jobs])
        claimed = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
        outcomes = [Outcome(id=job.id, attempt=job.attempt) for job in claimed]
        stats = BatchStats(group=GROUP, rows=BATCH, max_rows=BATCH, executions=1)
        assert len(queue.run(finish("w1", outcomes, stats, settings)).accepted) == BATCH
        if begin // BATCH % 32 == 31:
            redis.delete("vision")  # Celery takes the tickets
            yield redis.zcard(KEYS.index)


def kinds(queue: Queue) -> Counter[str]:
    """How many keys there are, by kind."""
    redis: Any = queue.redis
    found = Counter(key.decode().split(":")[1] for key in redis.scan_iter(f"{PREFIX}:*", 10_000))
    for member in ("index", "deadlines", "workers"):
        found[f"in {member}"] = (redis.scard if member == "workers" else redis.zcard)(
            f"{PREFIX}:{member}"
        )
    return +found


LIVING = {
    "job": 1,
    "pay": 1,
    "wait": 1,
    "group": 2,
    "groups": 1,
    "flows": 1,
    "flow": 1,
    "tenant": 1,
    "index": 1,
    "totals": 1,
    "stats": 1,
    "took": 1,
    "pace": 1,
    "workers": 1,
    "in index": 1,
    "in workers": 1,
}


@pytest.mark.parametrize(
    "count",
    [
        20_000,
        pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_of_jobs_that_came_and_went_nothing_stays_beside_an_old_one_that_waits(
    queue: Queue, brief: JobsSettings, new_job: Make, count: int
) -> None:
    redis: Any = queue.redis
    old = new_job(group=OTHER)
    queue.run(submit(old, brief))
    most = 0
    for indexed in come_and_go(queue, brief, new_job, count):
        most = max(most, redis.dbsize())
        assert indexed <= 1.5 * most + 200, "no keeper looked: this is submit's own doing"
    assert most < 20_000
    deadline = time.monotonic() + 60
    while redis.zcard(KEYS.index) > 1:
        assert time.monotonic() < deadline
        queue.run(sweep(brief))
    assert kinds(queue) == LIVING
    assert queue.run(list_jobs(brief))[0] == [old.id]


def test_an_index_that_an_older_version_left_full_is_emptied(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    redis: Any = queue.redis
    lives = [new_job() for _ in range(3)]
    for job in lives:
        queue.run(submit(job, settings))
    redis.zadd(KEYS.index, {f"gone-{number}": 1 + number / 1e6 for number in range(20_000)})
    looks = 0
    while redis.zcard(KEYS.index) > len(lives):
        queue.run(sweep(settings))
        looks += 1
        assert looks < 100
    assert queue.run(list_jobs(settings))[0] == [job.id for job in reversed(lives)]


def end(queue: Queue, settings: JobsSettings, **outcome: Any) -> ClaimedJob:
    [claimed] = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
    stats = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
    ended = Outcome(id=claimed.id, attempt=claimed.attempt, **outcome)
    assert queue.run(finish("w1", [ended], stats, settings)).accepted
    return claimed


def ttl(queue: Queue, job: NewJob) -> int:
    redis: Any = queue.redis
    return int(redis.ttl(KEYS.job(job.id)))


@pytest.mark.parametrize("error_type", ["", "backend_error"])
def test_a_delivered_answer_stays_for_its_own_time(
    queue: Queue, settings: JobsSettings, new_job: Make, error_type: str
) -> None:
    waited, named = new_job(), new_job()
    for job, brief_s in ((waited, 7), (named, 0)):
        queue.run(submit(job, settings, brief_s=brief_s))
        end(queue, settings, error_type=error_type)
    assert 5 <= ttl(queue, waited) <= 7
    assert ttl(queue, named) > 90


def test_never_longer_than_any_other(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    job = new_job()
    queue.run(submit(job, settings, brief_s=500))
    end(queue, settings)
    assert ttl(queue, job) <= settings.result_ttl_s


@pytest.mark.parametrize("ended", [False, True])
def test_who_waited_in_vain_can_poll_for_the_long_time(
    queue: Queue, settings: JobsSettings, new_job: Make, ended: bool
) -> None:
    job = new_job()
    queue.run(submit(job, settings, brief_s=7))
    if not ended:
        queue.run(keep(job.id, settings))
        assert ttl(queue, job) == -1, "it has not ended"
    end(queue, settings)
    if ended:
        queue.run(keep(job.id, settings))
    assert ttl(queue, job) > 90
    queue.run(keep("unknown", settings))


def test_a_dead_letter_stays_though_somebody_waited(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    queue.run(submit(job, settings, brief_s=7))
    for _ in range(3):
        assert queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
        queue.run(reap("w1", settings, gone=True))
    assert ttl(queue, job) == -1


def test_a_canceled_one_that_was_waited_for_goes_soon(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    queue.run(submit(job, settings, brief_s=7))
    queue.run(cancel(job.id, settings))
    assert 5 <= ttl(queue, job) <= 7


def test_a_key_whose_job_is_forgotten_stands_for_a_new_one(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    redis: Any = queue.redis
    first, second = new_job(idempotency_key="k"), new_job(idempotency_key="k")
    queue.run(submit(first, settings))
    end(queue, settings)
    redis.delete(KEYS.job(first.id))
    stored = queue.run(submit(second, settings))
    assert (stored.id, stored.created) == (second.id, True)
    assert end(queue, settings).id == second.id


def test_failed_webhooks_that_have_run_out_are_forgotten(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    redis: Any = queue.redis
    queue.run(submit(new_job(webhook="https://example.org"), settings))
    end(queue, settings)
    [delivery] = queue.run(take_webhooks(1, 60, settings))
    queue.run(settle_webhook(delivery.name, Settled.FAILED, settings, keep_s=60))
    queue.run(sweep(settings))
    assert redis.zcard(KEYS.webhooks_failed) == 1
    redis.delete(KEYS.webhook(delivery.name))
    queue.run(sweep(settings))
    assert not redis.exists(KEYS.webhooks_failed)


def test_who_was_taken_for_dead_and_claims_again_can_die_once_more(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    redis: Any = queue.redis
    job = new_job()
    queue.run(submit(job, settings))
    queue.run(reap("w1", settings, gone=True))
    assert queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
    assert redis.smembers(KEYS.workers) == {b"w1"}, "keepers look for those"
    queue.run(reissue(queue.run(reap("w1", settings)).groups, settings))
    [record] = queue.run(read([job.id], settings))
    assert record is not None
    assert record.status == "queued"
