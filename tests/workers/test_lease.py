"""A worker's hold on its jobs: renewed while it lives, and nothing held that it does not run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import release
from wherry.jobs.fleet import view
from wherry.jobs.group import Group
from wherry.jobs.keys import Keys
from wherry.jobs.record import ClaimedJob, NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.protocol.errors import QueueLoading, Unavailable
from wherry.workers import lease as lease_module
from wherry.workers.lease import Lease

GROUP = Group("text", "embedding", "1")
BATCH_TIMEOUT_S = 600.0


class Held:
    """A worker's lease by the clock, without its thread: `tick` is one beat of it."""

    def __init__(self, queue: Queue, settings: JobsSettings) -> None:
        self.queue, self.settings, self.now_s = queue, settings, 100.0
        self.redis: Any = queue.redis
        self.given_back: list[list[str]] = []
        self.ends: list[str] = []
        self.lease = Lease(
            "me",
            queue,
            settings,
            info=lambda: {"state": "ready"},
            give_back=self.given_back.append,
            batch_timeout_s=BATCH_TIMEOUT_S,
            end=self.ends.append,
            clock=lambda: self.now_s,
        )
        self.tick = self.lease._tick

    def claim(self, *job_ids: str) -> tuple[ClaimedJob, ...]:
        for job_id in job_ids:
            job = NewJob(
                id=job_id,
                task="embedding",
                group=GROUP,
                payload=b"{}",
                header_length=2,
                fingerprint="f",
            )
            self.queue.run(submit(job, self.settings))
        return self.queue.run(
            claim(GROUP, "me", {GROUP.model_id: BatchBudget()}, self.settings)
        ).jobs

    def left_ms(self) -> int:
        """How long the lease still holds."""
        left: int = self.redis.pttl(Keys(self.settings.key_prefix).alive("me"))
        return left


@pytest.fixture
def held(redis_url: str) -> Iterator[Held]:
    queue = Queue(redis_url)
    yield Held(queue, JobsSettings(redis_url=redis_url, lease_ttl_s=30))
    queue.close()


def test_it_is_held_before_anything_can_be_claimed_and_no_longer_renewed_once_stopped(
    held: Held,
) -> None:
    held.lease.start()
    assert held.left_ms() > 29_000
    held.lease.stop()
    held.redis.pexpire(Keys(held.settings.key_prefix).alive("me"), 5_000)
    assert held.left_ms() <= 5_000


def test_each_beat_renews_it_and_tells_of_the_worker(held: Held) -> None:
    held.tick()
    held.redis.pexpire(Keys(held.settings.key_prefix).alive("me"), 1_000)
    held.tick()
    assert held.left_ms() > 29_000
    [worker] = held.queue.run(view(held.settings)).workers
    assert (worker.id, worker.alive, worker.info) == ("me", True, {"state": "ready"})


def test_jobs_of_a_claim_whose_reply_was_lost_are_given_back_at_the_second_look(held: Held) -> None:
    held.claim("a", "b")
    held.tick()
    assert held.given_back == [], "the claim's reply may be on its way"
    held.tick()
    assert held.given_back == [["a", "b"]]


def test_what_runs_is_held_and_what_was_seen_once_and_then_ended_is_not_given_back(
    held: Held,
) -> None:
    jobs = held.claim("a", "b")
    held.tick()
    with held.lease.holding(GROUP, (job.id for job in jobs)):
        for _ in range(3):
            held.tick()
    held.tick()
    held.queue.run(release(GROUP, "me", jobs, held.settings))
    held.tick()
    assert held.given_back == []


def test_a_batch_that_raises_lets_go_of_its_jobs_alone(held: Held) -> None:
    jobs = held.claim("a")
    with pytest.raises(ValueError, match="broke"), held.lease.holding(GROUP, ["a"]):
        raise ValueError("broke")
    held.tick()
    held.tick()
    assert held.given_back == [[job.id for job in jobs]]


def test_jobs_that_could_not_be_given_back_are_tried_again(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.claim("a")
    tries = 0

    def give_back(job_ids: list[str]) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable("Redis is away")

    monkeypatch.setattr(held.lease, "_give_back", give_back)
    for _ in range(4):
        held.tick()
    assert tries == 2


@pytest.mark.parametrize(("ran_s", "hung"), [(BATCH_TIMEOUT_S - 1, False), (601.0, True)])
def test_a_batch_that_hangs_ends_the_process(held: Held, ran_s: float, hung: bool) -> None:
    with held.lease.holding(GROUP, ["a"]):
        held.now_s += ran_s
        held.tick()
    held.now_s += ran_s
    held.tick()
    assert held.ends == [f"a batch of {GROUP.id} hung for over 600 s"] * hung


def test_a_redis_that_is_away_is_told_of_once_each_time(
    held: Held, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise Unavailable("Redis is away")

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(held.queue, "run", away)
                for _ in range(3):
                    held.tick()
            held.tick()
    assert [record.getMessage() for record in caplog.records] == [
        "heartbeats fail: Redis is away"
    ] * 2
    assert held.left_ms() > 29_000


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        pytest.param([QueueLoading(), QueueLoading(), set()], True, id="one that loads"),
        pytest.param([set()], False, id="one that is there"),
        pytest.param([Unavailable("Redis is away")], False, id="one that is away"),
        pytest.param([QueueLoading(), Unavailable("gone")], True, id="one that goes meanwhile"),
    ],
)
def test_a_start_waits_for_a_redis_that_loads_and_for_no_other(
    held: Held,
    answers: list[Any],
    waited: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def members(_: str) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(lease_module, "_LOADING_PAUSE_S", 0)
    monkeypatch.setattr(held.queue, "members", members)
    with caplog.at_level(logging.WARNING):
        assert held.lease.wait_while_loading() == waited
    assert answers == []
    assert len(caplog.records) == waited
