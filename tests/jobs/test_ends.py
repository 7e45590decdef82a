"""How jobs end: each way tells the webhook once, and a run past its time is over."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from wherry.jobs import ClaimedJob, Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish, release
from wherry.jobs.fleet import view
from wherry.jobs.keys import Keys
from wherry.jobs.read import read
from wherry.jobs.record import BatchStats, JobRecord
from wherry.jobs.recover import cancel, reap, requeue, sweep
from wherry.jobs.submit import submit

GROUP = Group("vision", "digits", "1")
KEYS = Keys("wherry")
Make = Callable[..., NewJob]


def take(queue: Queue, settings: JobsSettings) -> tuple[ClaimedJob, ...]:
    return queue.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings)).jobs


def end(queue: Queue, settings: JobsSettings, job: ClaimedJob, error: str = "") -> bool:
    outcome = Outcome(id=job.id, attempt=job.attempt, error_type=error)
    stats = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
    return bool(queue.run(finish("w1", [outcome], stats, settings)).accepted)


def record(queue: Queue, settings: JobsSettings, job_id: str) -> JobRecord:
    [found] = queue.run(read([job_id], settings))
    assert found is not None
    return found


def told(queue: Queue) -> list[bytes | str]:
    return list(queue.redis.lrange(KEYS.webhooks, 0, -1))


def end_by(way: str, queue: Queue, settings: JobsSettings, job_id: str) -> None:
    if way == "cancel":
        queue.run(cancel(job_id, settings))
    elif way == "expire in sweep":
        time.sleep(0.003)
        queue.run(sweep(settings))
    elif way == "expire in claim":
        time.sleep(0.003)
        assert take(queue, settings) == ()
    else:
        [job] = take(queue, settings)
        for number in range(3 if way == "die" else 1):
            if number:
                [job] = take(queue, settings)
            if way in ("die", "die canceled"):
                if way == "die canceled":
                    queue.run(cancel(job_id, settings))
                queue.run(reap("w1", settings, gone=True))
        if way == "run too long":
            time.sleep(0.003)
            queue.run(sweep(settings))
        if way in ("succeed", "fail"):
            end(queue, settings, job, "backend_error" if way == "fail" else "")


WAYS = {
    "cancel": "canceled",
    "expire in sweep": "expired",
    "expire in claim": "expired",
    "die": "failed",
    "die canceled": "canceled",
    "run too long": "failed",
    "succeed": "succeeded",
    "fail": "failed",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_end_tells_the_webhook_once_and_leaves_no_deadline(
    queue: Queue, settings: JobsSettings, new_job: Make, way: str
) -> None:
    job = new_job(
        webhook="https://example.org/hook",
        execution_timeout_ms=1 if way == "run too long" else 600_000,
        start_by_ms=int(time.time() * 1000) + (1 if "expire" in way else 600_000),
    )
    queue.run(submit(job, settings))
    assert told(queue) == []
    end_by(way, queue, settings, job.id)
    assert record(queue, settings, job.id).status == WAYS[way]
    assert told(queue) == [job.id.encode()]
    assert queue.redis.hget(KEYS.job(job.id), "webhook") == b"https://example.org/hook"
    assert queue.redis.zcard(KEYS.deadlines) == 0
    kept = bool(queue.redis.exists(KEYS.payload(job.id, job.fingerprint)))
    assert kept == (way == "die"), "only a dead letter keeps its payload, for the replay"


def test_without_a_webhook_nobody_is_told(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    [job] = take(queue, settings)
    end(queue, settings, job)
    assert told(queue) == []


def test_a_job_that_runs_too_long_fails_and_its_late_answer_is_refused(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    slow, other = new_job(execution_timeout_ms=1), new_job(execution_timeout_ms=600_000)
    for job in (slow, other):
        queue.run(submit(job, settings))
    claimed = take(queue, settings)
    time.sleep(0.003)
    queue.run(sweep(settings))
    ended = record(queue, settings, slow.id)
    assert (ended.status, ended.error_type) == ("failed", "deadline_exceeded")
    assert [end(queue, settings, job) for job in claimed] == [False, True]
    totals = queue.run(view(settings)).totals
    assert (totals["running"], totals["late"], totals["failed"], totals["succeeded"]) == (
        0,
        1,
        1,
        1,
    )
    assert not queue.redis.exists(KEYS.running("w1"))


def test_waiting_does_not_count_as_running(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job(execution_timeout_ms=1)
    queue.run(submit(job, settings))
    time.sleep(0.003)
    queue.run(sweep(settings))
    claimed = take(queue, settings)
    queue.run(release(GROUP, "w1", claimed, settings))
    time.sleep(0.003)
    queue.run(sweep(settings))
    assert record(queue, settings, job.id).status == "queued", "each attempt has its own time"
    assert queue.redis.zcard(KEYS.deadlines) == 0


def test_a_job_that_comes_back_still_has_to_start_in_time(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job(start_by_ms=int(time.time() * 1000) + 200)
    queue.run(submit(job, settings))
    assert take(queue, settings)
    queue.run(reap("w1", settings, gone=True))
    time.sleep(0.21)
    queue.run(sweep(settings))
    assert record(queue, settings, job.id).status == "expired"


def test_a_replay_is_run_however_late(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    job = new_job(start_by_ms=int(time.time() * 1000) + 60_000)
    queue.run(submit(job, settings))
    for _ in range(3):
        assert take(queue, settings)
        queue.run(reap("w1", settings, gone=True))
    queue.redis.hset(KEYS.job(job.id), "start_by", 1)  # that minute is over
    queue.run(requeue(job.id, GROUP, settings))
    queue.run(sweep(settings))
    assert [claimed.id for claimed in take(queue, settings)] == [job.id]
