"""A payload of some size goes to Redis ahead of its submit, in the same round trip."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wherry.jobs import JobsSettings, NewJob, Queue
from wherry.jobs.keys import Keys
from wherry.jobs.submit import submit
from wherry.protocol.errors import QueueFull

Make = Callable[..., NewJob]

LARGE = b"x" * 100_000


def test_a_second_submit_puts_no_end_to_a_waiting_jobs_payload(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job(payload=LARGE)
    key = Keys(settings.key_prefix).payload(job.id, job.fingerprint)
    for created in (True, False):
        assert queue.run(submit(job, settings)).created is created
        assert queue.redis.ttl(key) == -1, "it stays for as long as the job waits"


def test_a_refused_submits_payload_is_soon_gone(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job(payload=LARGE)
    with pytest.raises(QueueFull):
        queue.run(submit(job, settings.model_copy(update={"max_waiting": 0})))
    ttl_s = queue.redis.ttl(Keys(settings.key_prefix).payload(job.id, job.fingerprint))
    assert 0 < ttl_s <= 60, "memory is short just then"
