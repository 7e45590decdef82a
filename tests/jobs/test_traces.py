"""Where a job stands in a trace goes with its record, and costs one that is not traced nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Queue
from wherry.jobs.call import Call
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.keys import Keys
from wherry.jobs.record import BatchStats, Claim, Outcome
from wherry.jobs.recover import reap
from wherry.jobs.submit import submit
from wherry.jobs.webhooks import take_webhooks
from wherry.telemetry.trace_context import TraceContext

GROUP = Group("vision", "digits", "1")
KEYS = Keys("wherry")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LONG = str(TraceContext(PARENT, "vendor=" + "x" * 500))
WHOLE_PIECE = str(TraceContext(PARENT, "v=" + "x" * 6))
Make = Callable[..., NewJob]


def take(queue: Queue, settings: JobsSettings, *, traced: bool = True) -> Claim:
    budgets = {GROUP.model_id: BatchBudget(max_rows=8)}
    return queue.run(claim(GROUP, "w1", budgets, settings, traced=traced))


def stored(queue: Queue, settings: JobsSettings, job_id: str) -> str:
    """The trace in a job's record, put together again."""
    names = [f"trace{number or ''}" for number in range(20)]
    asked = ("HMGET", Keys(settings.key_prefix).job(job_id), *names)
    return queue.run(Call([asked], parse=lambda pieces: b"".join(filter(None, pieces)).decode()))


@pytest.mark.parametrize("trace", ["", PARENT, WHOLE_PIECE, LONG], ids=len)
def test_whoever_claims_a_job_is_told_its_trace(
    queue: Queue, settings: JobsSettings, new_job: Make, trace: str
) -> None:
    job = new_job(trace=trace)
    queue.run(submit(job, settings))
    assert stored(queue, settings, job.id) == trace
    [claimed] = take(queue, settings).jobs
    assert claimed.trace == trace


def test_jobs_of_a_batch_have_each_its_own(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    traces = [PARENT, "", LONG]
    for trace in traces:
        queue.run(submit(new_job(trace=trace), settings))
    assert [job.trace for job in take(queue, settings).jobs] == traces


def test_a_worker_that_does_not_trace_asks_for_none(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(trace=PARENT), settings))
    [claimed] = take(queue, settings, traced=False).jobs
    assert claimed.trace == ""


def test_nothing_waits_for_a_worker_that_traces(queue: Queue, settings: JobsSettings) -> None:
    assert take(queue, settings) == Claim()


@pytest.mark.parametrize("trace", [PARENT, LONG], ids=len)
def test_a_traced_record_stays_small(
    queue: Queue, settings: JobsSettings, new_job: Make, trace: str
) -> None:
    redis: Any = queue.redis
    plain, traced = new_job(), new_job(trace=trace)
    for job in (plain, traced):
        queue.run(submit(job, settings))
    sizes = [redis.memory_usage(KEYS.job(job.id)) for job in (plain, traced)]
    assert redis.object("encoding", KEYS.job(traced.id)) == b"listpack"
    assert sizes[1] - sizes[0] < len(trace) * 1.4 + 32
    assert not [name for name in redis.hkeys(KEYS.job(plain.id)) if name.startswith(b"trace")]


def test_the_attempt_of_a_dead_worker_is_told_to_who_takes_it_back(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    traced, plain = new_job(trace=PARENT), new_job()
    for job in (traced, plain):
        queue.run(submit(job, settings))
    take(queue, settings)
    reaped = queue.run(reap("w1", settings, gone=True, traced=True))
    assert reaped.requeued == 2
    [lost] = reaped.lost
    assert (lost.id, lost.attempt, lost.group, lost.trace) == (traced.id, 1, GROUP, PARENT)
    assert lost.started_at_ms > 0
    each_alone = [take(queue, settings).jobs[0] for _ in range(2)]
    [again] = [job for job in each_alone if job.id == traced.id]
    assert (again.attempt, again.trace) == (2, PARENT)


def test_who_takes_back_without_tracing_is_told_of_none(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(trace=PARENT), settings))
    take(queue, settings)
    assert queue.run(reap("w1", settings, gone=True)).lost == ()
    assert queue.run(reap("w1", settings, traced=True)).lost == ()


@pytest.mark.parametrize("trace", ["", LONG], ids=len)
def test_a_webhook_has_the_trace_of_its_job(
    queue: Queue, settings: JobsSettings, new_job: Make, trace: str
) -> None:
    job = new_job(trace=trace, webhook="https://receiver.example/hook")
    queue.run(submit(job, settings))
    [claimed] = take(queue, settings).jobs
    done = Outcome(id=job.id, attempt=claimed.attempt, result=b"{}", header_length=2)
    queue.run(finish("w1", [done], BatchStats(group=GROUP), settings))
    [delivery] = queue.run(take_webhooks(5, 60, settings))
    assert delivery.trace == trace
