"""Records take little of Redis' memory; those of the version before are read and ended as ever."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish, release
from wherry.jobs.keys import Keys
from wherry.jobs.proof import shown
from wherry.jobs.read import read, result
from wherry.jobs.record import BatchStats, ClaimedJob, JobRecord
from wherry.jobs.recover import cancel, reap
from wherry.jobs.submit import submit

GROUP = Group("text", "sentiment", "1")
KEYS = Keys("wherry")
WORKER = "text-0@machine#681d1eb3"
RESULT = b'{"model_name":"sentiment","outputs":[{"name":"label","data":["calm"]}]}' * 3
Make = Callable[..., NewJob]


def short(new_job: Make, **changes: object) -> NewJob:
    """A job of a short text, with an id and a fingerprint as the API makes them."""
    names = {"id": str(uuid.uuid4()), "fingerprint": uuid.uuid4().hex}
    return new_job(group=GROUP, task="text-classification", **{**names, **changes})


def take(queue: Queue, settings: JobsSettings) -> tuple[ClaimedJob, ...]:
    budgets = {GROUP.model_id: BatchBudget(max_rows=1)}
    return queue.run(claim(GROUP, WORKER, budgets, settings)).jobs


def end(queue: Queue, settings: JobsSettings, job: ClaimedJob, body: bytes = RESULT) -> None:
    done = Outcome(id=job.id, attempt=job.attempt, result=body, header_length=len(body))
    stats = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
    assert queue.run(finish(WORKER, [done], stats, settings)).accepted


def record(queue: Queue, settings: JobsSettings, job_id: str) -> JobRecord:
    [found] = queue.run(read([job_id], settings))
    assert found is not None
    return found


def bytes_of(queue: Queue, job: NewJob) -> int:
    redis: Any = queue.redis  # redis-py types an answer as all it may ever be
    assert redis.object("encoding", KEYS.job(job.id)) == b"listpack"
    return int(redis.memory_usage(KEYS.job(job.id)))


def test_a_record_takes_half_of_what_it_took(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = short(new_job)
    queue.run(submit(job, settings))
    assert bytes_of(queue, job) < 500, "waiting: it was 1,158"
    [claimed] = take(queue, settings)
    assert bytes_of(queue, job) < 560
    end(queue, settings, claimed)
    assert bytes_of(queue, job) < 860, "with its answer: it was 1,800"


@pytest.mark.parametrize("size", [0, 1, 64, 65, 1024, 1025, 5000])
@pytest.mark.parametrize("plain", [False, True])
def test_a_response_is_read_as_it_was_written(
    queue: Queue, settings: JobsSettings, new_job: Make, size: int, plain: bool
) -> None:
    job, body = short(new_job), bytes(number % 256 for number in range(size))
    queue.run(submit(job, settings, plain=plain))
    end(queue, settings, take(queue, settings)[0], body)
    stored = queue.run(result(job.id, settings))
    assert stored is not None
    assert (stored.body, stored.header_length, stored.ref) == (body, size, "")


def lives(queue: Queue, settings: JobsSettings, job: NewJob) -> list[str]:
    """What a job's history is while it is given back, dies with its worker, and ends."""
    told = []

    def tell() -> None:
        found = record(queue, settings, job.id)
        changes = [(c.status.value, c.attempt, c.worker) for c in found.history]
        assert [c.at_ms for c in found.history] == sorted(c.at_ms for c in found.history)
        told.append(repr(changes))

    tell()
    claimed = take(queue, settings)
    tell()
    queue.run(release(GROUP, WORKER, claimed, settings))
    tell()
    take(queue, settings)
    tell()
    queue.run(reap(WORKER, settings, gone=True))
    tell()
    end(queue, settings, take(queue, settings)[0])
    tell()
    return told


def test_a_history_is_the_same_whichever_way_it_is_kept(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    told = []
    for plain in (False, True):
        job = short(new_job)
        queue.run(submit(job, settings, plain=plain))
        told.append(lives(queue, settings, job))
    assert told[0] == told[1]
    assert told[0][-1].count("running") == 3
    assert "succeeded" in told[0][-1]


@pytest.mark.parametrize("plain", [False, True])
def test_one_that_never_ran_has_its_two_lines(
    queue: Queue, settings: JobsSettings, new_job: Make, plain: bool
) -> None:
    job = short(new_job)
    queue.run(submit(job, settings, plain=plain))
    queue.run(cancel(job.id, settings))
    history = record(queue, settings, job.id).history
    assert [change.status for change in history] == ["queued", "canceled"]


def test_a_record_of_the_version_before_is_ended_in_its_form(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    """As its submit.lua wrote it: with the payload's long key, and all fields."""
    redis: Any = queue.redis
    job = short(new_job)
    queue.run(submit(job, settings, plain=True))
    long = f"wherry:pay:{job.id}:{job.fingerprint}"
    redis.rename(KEYS.payload(job.id, job.fingerprint), long)
    redis.hset(KEYS.job(job.id), "payload_key", long)
    assert redis.hget(KEYS.job(job.id), "id") == job.id.encode()
    [claimed] = take(queue, settings)
    assert queue.values([claimed.payload_key]) == [job.payload]
    end(queue, settings, claimed)
    assert not redis.exists(long)
    assert redis.hget(KEYS.job(job.id), "result") == RESULT, "where its API looks"
    assert not queue.run(submit(job, settings)).created, "the same body is the same job"


def test_what_an_old_worker_and_a_new_one_wrote_in_turn_is_put_in_order(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    redis: Any = queue.redis
    job = short(new_job)
    queue.run(submit(job, settings))
    created = int(redis.hget(KEYS.job(job.id), "created_at"))
    # The version before begins a history where it finds none.
    lines = f"running|{created + 5}|1|old\nfailed|{created + 9}|1|old"
    fields = {"status": "failed", "started_at": created + 5, "finished_at": created + 9}
    redis.hset(KEYS.job(job.id), mapping={**fields, "attempt": 1, "history": lines})
    history = record(queue, settings, job.id).history
    assert [change.status for change in history] == ["queued", "running", "failed"]


def test_records_stay_plain_while_an_api_lives_that_reads_no_other(
    queue: Queue, settings: JobsSettings
) -> None:
    redis: Any = queue.redis
    assert not queue.run(shown(settings, api="new")).wants_plain
    redis.hset(KEYS.apis, "old", f"{int(redis.time()[0]) * 1000} {{}}")
    assert queue.run(shown(settings)).wants_plain
    redis.hdel(KEYS.apis, "old")
    goes_back = settings.model_copy(update={"compact_records": False})
    assert queue.run(shown(goes_back, api="other")).wants_plain
    redis.delete(KEYS.apis)
