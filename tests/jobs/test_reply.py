"""Small responses sent along to whoever waits, so that it need not come back for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.read import result
from wherry.jobs.record import BatchStats
from wherry.jobs.submit import submit

GROUP = Group("vision", "digits", "1")


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
        job = replace(new_job(), reply_to=reply_to)
        queue.run(submit(job, settings))
        [claimed] = queue.run(claim(GROUP, "w1", BatchBudget(), settings)).jobs
        outcome = Outcome(id=job.id, attempt=claimed.attempt, result=body, header_length=2)
        batch = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
        assert queue.run(finish("w1", [outcome], batch, settings)) == {job.id}
        queue.redis.publish("here", "end")
        messages = []
        while not messages or messages[-1] != b"end":
            message = listener.get_message(timeout=5)
            assert message is not None
            messages.append(message["data"])
    assert messages[:-1] == ([job.id.encode() + b"\n2\n" + body] if heard else [])
    stored = queue.run(result(job.id, settings))
    assert stored is not None
    assert stored.body == body


def test_a_failure_sends_no_response(
    queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]
) -> None:
    job = replace(new_job(), reply_to="here")
    queue.run(submit(job, settings))
    [claimed] = queue.run(claim(GROUP, "w1", BatchBudget(), settings)).jobs
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
