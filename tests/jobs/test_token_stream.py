"""What running jobs say: in order, for replay, from the holder of the lease alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.record import BatchStats, ClaimedJob
from wherry.jobs.recover import cancel
from wherry.jobs.submit import submit
from wherry.jobs.token_stream import START, read_chunks, send_chunks

GROUP = Group("vision", "digits", "1")
BUDGETS = {GROUP.model_id: BatchBudget()}


@pytest.fixture
def running(
    queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]
) -> tuple[ClaimedJob, ClaimedJob]:
    for _ in range(2):
        queue.run(submit(new_job(), settings))
    first, second = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
    return first, second


def heard(queue: Queue, settings: JobsSettings, job: ClaimedJob, after: str = START) -> list[bytes]:
    return [entry.chunk for entry in queue.run(read_chunks(job.id, after, settings))]


def test_chunks_are_kept_in_order_and_read_after_any_place(
    queue: Queue, settings: JobsSettings, running: tuple[ClaimedJob, ClaimedJob]
) -> None:
    first, second = running
    assert not queue.run(
        send_chunks("w1", [(first, b"a"), (second, b"x"), (first, b"b")], settings)
    )
    assert not queue.run(send_chunks("w1", [(first, b"c\xff")], settings))
    assert heard(queue, settings, first) == [b"a", b"b", b"c\xff"]
    assert heard(queue, settings, second) == [b"x"]
    place = queue.run(read_chunks(first.id, START, settings))[0].place
    assert heard(queue, settings, first, place) == [b"b", b"c\xff"]
    assert 0 < queue.redis.ttl(f"wherry:told:{first.id}") <= settings.stream_ttl_s


async def _read(settings: JobsSettings, job: ClaimedJob) -> list[bytes]:
    queue = AsyncQueue(settings.redis_url)
    try:
        return [entry.chunk for entry in await queue.run(read_chunks(job.id, START, settings))]
    finally:
        await queue.close()


def test_both_kinds_of_connection_read_the_same(
    queue: Queue, settings: JobsSettings, running: tuple[ClaimedJob, ClaimedJob]
) -> None:
    queue.run(send_chunks("w1", [(running[0], b"a"), (running[0], b"b")], settings))
    assert asyncio.run(_read(settings, running[0])) == [b"a", b"b"]


def test_only_the_holder_of_the_lease_is_heard(
    queue: Queue, settings: JobsSettings, running: tuple[ClaimedJob, ClaimedJob]
) -> None:
    first, second = running
    assert queue.run(send_chunks("w2", [(first, b"a")], settings)) == {first.id}
    late = first._replace(attempt=7)
    assert queue.run(send_chunks("w1", [(late, b"a"), (second, b"x")], settings)) == {first.id}
    assert heard(queue, settings, first) == []
    assert heard(queue, settings, second) == [b"x"]


def test_a_canceled_or_ended_job_is_not_wanted(
    queue: Queue, settings: JobsSettings, running: tuple[ClaimedJob, ClaimedJob]
) -> None:
    first, second = running
    queue.run(cancel(first.id, settings))
    stats = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
    queue.run(finish("w1", [Outcome(id=second.id, attempt=1, result=b"{}")], stats, settings))
    said = [(first, b"a"), (second, b"x")]
    assert queue.run(send_chunks("w1", said, settings)) == {first.id, second.id}


def test_each_chunk_wakes_who_listens(
    queue: Queue, settings: JobsSettings, running: tuple[ClaimedJob, ClaimedJob]
) -> None:
    with queue.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("wherry:changes")
        listener.get_message(timeout=5)
        queue.run(send_chunks("w1", [(running[0], b"a"), (running[1], b"b")], settings))
        message = listener.get_message(timeout=5)
    assert message is not None
    assert message["data"].decode().splitlines() == [f"told {job.id}" for job in running]
