"""Small responses sent along to whoever waits, so that it need not come back for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.read import read_replies, result
from wherry.jobs.record import BatchStats, StoredResult
from wherry.jobs.submit import submit

GROUP = Group("vision", "digits", "1")
BUDGETS = {GROUP.model_id: BatchBudget()}


@pytest.mark.parametrize(
    ("body", "reply_to", "heard"),
    [
        (b"{}\x00\n\xff", "here", True),
        (b"x" * 16_384, "here", True),
        (b"x" * 16_385, "here", False),
        (b"{}", "", False),
    ],
)
def test_only_a_small_response_is_sent_to_who_asked(
    queue: Queue,
    settings: JobsSettings,
    new_job: Callable[..., NewJob],
    body: bytes,
    reply_to: str,
    heard: bool,
) -> None:
    with queue.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("here")
        listener.get_message(timeout=5)
        job = new_job()
        queue.run(submit(job, settings, reply_to=reply_to))
        [claimed] = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
        outcome = Outcome(id=job.id, attempt=claimed.attempt, result=body, header_length=2)
        batch = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
        assert queue.run(finish("w1", [outcome], batch, settings)).accepted == {job.id}
        queue.redis.publish("here", "end")
        messages: list[bytes] = []
        while not messages or messages[-1] != b"end":
            message = listener.get_message(timeout=5)
            assert message is not None
            messages.append(message["data"])
    replies = [reply for message in messages[:-1] for reply in read_replies(message)]
    told = StoredResult(body=body, header_length=2, ref="")
    assert replies == ([(job.id, told)] if heard else [])
    stored = queue.run(result(job.id, settings))
    assert stored is not None
    assert stored.body == body


def test_a_failure_sends_no_response(
    queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]
) -> None:
    job = new_job()
    queue.run(submit(job, settings, reply_to="here"))
    [claimed] = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
    outcome = Outcome(
        id=job.id, attempt=claimed.attempt, result=b"{}", error_type="backend_error", error="no"
    )
    with queue.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("here")
        listener.get_message(timeout=5)
        batch = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
        queue.run(finish("w1", [outcome], batch, settings))
        queue.redis.publish("here", "end")
        message = listener.get_message(timeout=5)
    assert message is not None
    assert message["data"] == b"end"


def test_a_batchs_responses_share_a_message(
    queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]
) -> None:
    ids = ["a", "ü" * 256, "with\ttab", "b"]
    for job_id in ids:
        queue.run(submit(replace(new_job(), id=job_id), settings, reply_to="here"))
    claimed = queue.run(claim(GROUP, "w1", BUDGETS, settings)).jobs
    outcomes = [
        Outcome(id=job.id, attempt=1, result=b"{\n}" * n, header_length=n)
        for n, job in enumerate(claimed, 1)
    ]
    with queue.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("here")
        listener.get_message(timeout=5)
        batch = BatchStats(group=GROUP, rows=4, max_rows=4, executions=1)
        queue.run(finish("w1", outcomes, batch, settings))
        message = listener.get_message(timeout=5)
    assert message is not None
    assert list(read_replies(message["data"])) == [
        (job_id, StoredResult(body=b"{\n}" * n, header_length=n, ref=""))
        for n, job_id in enumerate(ids, 1)
    ]
