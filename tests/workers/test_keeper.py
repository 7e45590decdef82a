"""The keeper: dead workers and lost tickets, and what a time without Redis proves: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.fleet import heartbeat
from wherry.jobs.group import Group
from wherry.jobs.keys import Keys
from wherry.jobs.read import read
from wherry.jobs.record import NewJob
from wherry.jobs.recover import cancel
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.protocol.states import JobState
from wherry.workers.deaf_consumer import Consuming
from wherry.workers.keeper import PERIOD_S, Keeper

GROUP = Group("text", "embedding", "1")


class Kept:
    """A keeper by the clock, beside another worker that runs a job."""

    def __init__(self, queue: Queue, settings: JobsSettings) -> None:
        self.queue, self.settings, self.now_s = queue, settings, 1000.0
        self.restarts = 0
        consuming = Consuming(
            threads=1,
            patience_s=10,
            families=lambda: {"text"},
            probe=lambda groups: None,
            restart=self._restart,
            clock=lambda: self.now_s,
        )
        self.keeper = Keeper("me", queue, settings, consuming, clock=lambda: self.now_s)
        self.submit("job", GROUP)
        queue.run(heartbeat("other", {}, settings))
        assert queue.run(claim(GROUP, "other", {GROUP.model_id: BatchBudget()}, settings)).jobs

    def submit(self, job_id: str, group: Group) -> None:
        job = NewJob(
            id=job_id,
            task="embedding",
            group=group,
            payload=b"{}",
            header_length=2,
            fingerprint="f",
        )
        self.queue.run(submit(job, self.settings))

    def commands(self) -> int:
        """Commands that Redis has run so far, those inside scripts too."""
        stats = self.queue.redis.info("commandstats")
        return sum(int(item["calls"]) for item in stats.values())

    def _restart(self) -> None:
        self.restarts += 1

    def heartbeat_runs_out(self) -> None:
        self.queue.redis.delete(Keys(self.settings.key_prefix).alive("other"))

    def look(self, after_s: float) -> JobState:
        """A look after some seconds; what became of the other's job."""
        self.now_s += after_s
        self.keeper.look()
        record = self.queue.run(read(["job"], self.settings))[0]
        assert record is not None
        return record.status


@pytest.fixture
def kept(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    # The session's server may be younger than a lease.
    monkeypatch.setattr("wherry.workers.keeper.uptime", lambda: _old)
    queue = Queue(redis_url)
    monkeypatch.setattr(
        queue, "run", lambda call, run=queue.run: 1e6 if call is _old else run(call)
    )
    yield Kept(queue, JobsSettings(redis_url=redis_url, lease_ttl_s=6))
    queue.close()


_old = object()


def test_a_dead_workers_jobs_are_taken_back(kept: Kept) -> None:
    assert kept.look(0.5) is JobState.RUNNING
    kept.heartbeat_runs_out()
    assert kept.look(0.5) is JobState.QUEUED


@pytest.mark.parametrize(("lease_s", "idle_s"), [(15.0, 2.0), (6.0, 1.0), (1.0, 0.5)])
def test_it_looks_seldom_while_nothing_waits_or_runs(
    kept: Kept, lease_s: float, idle_s: float
) -> None:
    kept.settings.lease_ttl_s = lease_s
    kept.look(0.5)
    assert kept.keeper.period_s == PERIOD_S, "a job runs"
    kept.queue.run(cancel("job", kept.settings))
    kept.heartbeat_runs_out()
    kept.look(0.5)
    kept.look(0.5)
    assert kept.keeper.period_s == idle_s
    kept.submit("another", GROUP)
    kept.look(idle_s)
    assert kept.keeper.period_s == PERIOD_S, "a job waits"


def test_lost_tickets_are_replaced(kept: Kept) -> None:
    keys, groups = Keys("wherry"), [replace(GROUP, digest=f"d{number}") for number in range(3)]
    for number, group in enumerate(groups):
        kept.submit(f"more-{number}", group)
    kept.queue.redis.delete(GROUP.queue_key)
    kept.look(0.5)
    assert kept.queue.redis.llen(GROUP.queue_key) == 0, "too early to miss them"
    for group in groups:  # as if they had waited for 2 s
        kept.queue.redis.hincrby(keys.group(group.id), "stamp", -2000)
        kept.queue.redis.zincrby(keys.groups, -2000, group.id)
    kept.look(0.5)
    assert kept.queue.redis.llen(GROUP.queue_key) == 3


def test_a_look_costs_no_more_among_thousands_of_groups(kept: Kept) -> None:
    def cost() -> int:
        before = kept.commands()
        kept.look(0.5)
        return kept.commands() - before

    def nothing_is_due() -> None:
        """Whatever time the test has taken: the machine may be slow."""
        kept.queue.run(heartbeat("other", {}, kept.settings))
        known: Any = kept.queue.redis.zrange(groups, 0, -1)
        kept.queue.redis.zadd(groups, dict.fromkeys(known, 4000000000000.0), xx=True)

    groups = Keys("wherry").groups
    kept.submit("more", replace(GROUP, digest="d"))
    kept.look(0.5)
    nothing_is_due()
    few = cost()
    for number in range(1000):
        kept.submit(f"more-{number}", replace(GROUP, digest=f"d{number}"))
    nothing_is_due()
    assert cost() <= few + 5


def test_after_an_outage_a_worker_has_a_leases_time_to_beat_again(kept: Kept) -> None:
    assert kept.look(0.5) is JobState.RUNNING
    kept.heartbeat_runs_out()
    assert kept.look(20) is JobState.RUNNING, "Redis was away: nobody could beat"
    for _ in range(11):
        assert kept.look(0.5) is JobState.RUNNING
    assert kept.look(1) is JobState.QUEUED, "it has not come back"


def test_a_young_redis_is_one_that_was_away(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    young = kept.queue.run
    monkeypatch.setattr(kept.queue, "run", lambda call: 1.0 if call is _old else young(call))
    kept.heartbeat_runs_out()
    assert kept.look(0.5) is JobState.RUNNING
