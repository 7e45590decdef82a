from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from wherry.jobs import JobsSettings, NewJob, Queue
from wherry.jobs.recover import cancel
from wherry.jobs.submit import submit
from wherry.jobs.webhooks import (
    Delivery,
    Settled,
    list_webhooks,
    retry_webhooks,
    settle_webhook,
    take_webhooks,
)

URL = "https://example.org/hook?token=1"


@pytest.fixture
def end(queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]) -> Callable[..., str]:
    """End a job that has a webhook."""

    def work(job_id: str = "a|b:ü") -> str:
        queue.run(submit(new_job(id=job_id, webhook=URL), settings))
        queue.run(cancel(job_id, settings))
        return job_id

    return work


def take(queue: Queue, settings: JobsSettings, lease_s: float = 60) -> list[Delivery]:
    return queue.run(take_webhooks(10, lease_s, settings))


def test_an_end_is_one_webhook_with_one_name(queue, settings, end) -> None:
    job_id = end()
    [taken] = take(queue, settings)
    assert (taken.job_id, taken.url, taken.tries, taken.body) == (job_id, URL, 0, b"")
    assert taken.finished_at_ms == int(queue.redis.hget(f"wherry:job:{job_id}", "finished_at"))
    assert take(queue, settings) == []
    assert queue.run(settle_webhook(taken.name, Settled.DELIVERED, settings))
    assert not queue.run(settle_webhook(taken.name, Settled.AGAIN, settings))
    assert queue.redis.keys("wherry:webhook*") == [b"wherry:webhooks:totals"]


def test_a_deliverer_that_died_leaves_its_webhook_to_the_next(queue, settings, end) -> None:
    end()
    [first] = take(queue, settings, lease_s=0.05)
    deadline = time.monotonic() + 5
    while not (again := take(queue, settings)):
        assert time.monotonic() < deadline
    assert again == [first]
    # Both deliver: the one that says so first has ended it.
    assert queue.run(settle_webhook(first.name, Settled.DELIVERED, settings))
    assert not queue.run(settle_webhook(first.name, Settled.DELIVERED, settings))


def test_a_webhook_that_failed_is_due_again_with_its_body(queue, settings, end) -> None:
    end()
    [taken] = take(queue, settings)
    queue.run(
        settle_webhook(taken.name, Settled.AGAIN, settings, due_in_s=60, error="no", body=b"{}")
    )
    assert take(queue, settings) == []
    [waiting] = queue.run(list_webhooks(settings, failed=False, limit=10)).webhooks
    assert (waiting.tries, waiting.error) == (1, "no")
    assert waiting.at_ms - time.time() * 1000 > 50_000
    queue.run(settle_webhook(taken.name, Settled.BACK, settings))
    [again] = take(queue, settings)
    assert (again.name, again.tries, again.body) == (taken.name, 1, b"{}")


def test_what_was_given_up_is_listed_for_a_time_and_tried_again(queue, settings, end) -> None:
    for job_id in ("a", "b"):
        end(job_id)
    taken = take(queue, settings)
    for one in taken:
        queue.run(settle_webhook(one.name, Settled.FAILED, settings, error="410", keep_s=100))
    found = queue.run(list_webhooks(settings, failed=True, limit=10))
    assert {one.job_id for one in found.webhooks} == {"a", "b"}
    assert (found.waiting, found.failed, found.totals) == (0, 2, {"failed": 2})
    assert 90 < queue.redis.ttl(f"wherry:webhook:{taken[0].name}") <= 100
    assert queue.run(retry_webhooks(["b", "c"], settings)) == 1
    [again] = take(queue, settings)
    assert (again.job_id, again.tries) == ("b", 0)
    assert queue.redis.ttl(f"wherry:webhook:{again.name}") == -1
    assert queue.run(retry_webhooks((), settings)) == 1
    assert queue.run(list_webhooks(settings, failed=True, limit=10)).webhooks == []


def test_old_ones_that_were_given_up_are_forgotten(queue, settings, end) -> None:
    end("a")
    [old] = take(queue, settings)
    queue.run(settle_webhook(old.name, Settled.FAILED, settings, keep_s=1))
    queue.redis.zadd("wherry:webhooks:failed", {old.name: time.time() * 1000 - 1500})
    end("b")
    [new] = take(queue, settings)
    queue.run(settle_webhook(new.name, Settled.FAILED, settings, keep_s=1))
    assert queue.redis.zrange("wherry:webhooks:failed", 0, -1) == [new.name.encode()]


def test_a_job_that_is_forgotten_is_counted_as_lost(queue, settings, end) -> None:
    job_id = end()
    queue.redis.delete(f"wherry:job:{job_id}")
    assert take(queue, settings) == []
    assert queue.run(list_webhooks(settings, failed=False, limit=1)).totals == {"lost": 1}
