"""Tickets: one a group goes round; a lost one is missed and replaced."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest
from kombu.connection import Connection

from wherry.jobs import ClaimedJob, Group, JobsSettings, NewJob, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.keys import Keys
from wherry.jobs.recover import reissue, sweep
from wherry.jobs.submit import submit

from .conftest import GROUP

Make = Callable[..., NewJob]


def take(queue: Queue, settings: JobsSettings, **budget: int) -> tuple[ClaimedJob, ...]:
    budgets = {GROUP.model_id: BatchBudget(**budget)}
    return queue.run(claim(GROUP, "w1", budgets, settings)).jobs


def test_the_ticket_is_a_message_kombu_reads(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(group=Group("vision", "digits", "1", priority=1)), settings))
    with Connection(settings.redis_url) as connection, connection.SimpleQueue("vision") as simple:
        message = simple.get(timeout=2)
        message.ack()
    args, kwargs, _ = message.payload
    assert message.headers["task"] == "wherry.run_batch"
    assert args == ["vision", "vision/digits/1/-/1/-"]
    assert kwargs == {}


def test_one_ticket_circulates_per_group(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    for _ in range(5):
        queue.run(submit(new_job(), settings))
    assert queue.redis.llen(GROUP.queue_key) == 1
    raw = queue.redis.lpop(GROUP.queue_key)
    assert isinstance(raw, bytes)
    assert json.loads(base64.b64decode(json.loads(raw)["body"]))[0] == ["vision", GROUP.id]
    assert len(take(queue, settings, max_rows=3)) == 3
    assert queue.redis.llen(GROUP.queue_key) == 1, "jobs remain, so the ticket goes round"
    queue.redis.delete(GROUP.queue_key)
    assert len(take(queue, settings, max_rows=3)) == 2
    assert queue.redis.llen(GROUP.queue_key) == 0, "none remain, so it is dropped"


def test_a_lost_ticket_is_replaced_and_surplus_ones_are_not_made(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    assert not queue.run(reissue([GROUP], settings)), "too early"
    assert queue.run(sweep(settings)) == ()
    queue.redis.delete(GROUP.queue_key)
    for _ in range(10):
        queue.run(reissue([GROUP], settings, at_once=True))
    assert queue.redis.llen(GROUP.queue_key) == 4, "four at most"
    queue.redis.delete(GROUP.queue_key)
    assert queue.run(reissue([GROUP], settings, at_once=True)), "all lost: begin again"


def test_a_ticket_once_lost_delays_no_later_job(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    queue.redis.delete(GROUP.queue_key)  # popped by a worker that was killed
    assert queue.run(reissue([GROUP], settings, at_once=True))
    queue.redis.lpop(GROUP.queue_key)
    assert len(take(queue, settings)) == 1
    queue.run(submit(new_job(), settings))
    assert queue.redis.llen(GROUP.queue_key) == 1, "the next job sends its own ticket"


def wait(queue: Queue, seconds: float) -> None:
    """Let time pass for the group: what the server wrote down moves to the past instead."""
    keys, ms = Keys("wherry"), int(seconds * 1000)
    queue.redis.hincrby(keys.group(GROUP.id), "stamp", -ms)
    queue.redis.zincrby(keys.groups, -ms, GROUP.id)


@pytest.mark.parametrize(("batch_ms", "patience_s"), [(0, 2), (400, 2), (2000, 8), (15_000, 60)])
def test_a_lost_ticket_is_missed_after_four_batches_and_two_seconds_at_least(
    queue: Queue, settings: JobsSettings, new_job: Make, batch_ms: int, patience_s: int
) -> None:
    for _ in range(2):
        queue.run(submit(new_job(), settings))
    queue.redis.hset(Keys("wherry").group(GROUP.id), "batch_ms", batch_ms)
    began = time.monotonic()
    take(queue, settings, max_rows=1)
    queue.redis.delete(GROUP.queue_key)
    waited_s = 0.0
    while not (late := queue.run(sweep(settings))):
        wait(queue, 0.5)
        waited_s += 0.5
    assert late == (GROUP,)
    spent_s = time.monotonic() - began  # on a busy machine real time counts as well
    assert waited_s - 0.5 < patience_s <= waited_s + spent_s
    assert queue.run(sweep(settings)) == (), "whoever was told it sends one"
    wait(queue, 2)
    assert queue.run(sweep(settings)) == (GROUP,), "but may have died before that"
    assert queue.run(reissue([GROUP], settings)) == 1
    assert queue.redis.llen(GROUP.queue_key) == 1


@pytest.mark.parametrize("before", ["a long batch", "a rest"])
def test_whatever_was_before_a_lost_ticket_is_missed_in_time(
    queue: Queue, settings: JobsSettings, new_job: Make, before: str
) -> None:
    def look() -> tuple[Group, ...]:
        """Of a keeper, whatever it has planned."""
        queue.redis.zadd(Keys("wherry").groups, {GROUP.id: 1})
        return queue.run(sweep(settings))

    queue.run(submit(new_job(), settings))
    queue.redis.hset(Keys("wherry").group(GROUP.id), "batch_ms", 60_000)
    if before == "a rest":
        take(queue, settings)
    assert look() == ()
    queue.redis.hset(Keys("wherry").group(GROUP.id), "batch_ms", 10)
    queue.run(submit(new_job(), settings))
    queue.redis.delete(GROUP.queue_key)
    wait(queue, 2)
    assert queue.run(sweep(settings)) == (GROUP,)


def test_a_group_whose_tickets_all_queue_up_needs_no_more(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    for _ in range(3):
        wait(queue, 2)
        late = queue.run(sweep(settings))
        assert queue.run(reissue(late, settings)) == 1
    wait(queue, 2)
    assert queue.run(sweep(settings)) == ()
    queue.redis.delete(GROUP.queue_key)
    wait(queue, 2)
    assert queue.run(sweep(settings)) == (GROUP,), "unless all are lost"
