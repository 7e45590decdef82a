"""The keeper after a time without Redis: a missing heartbeat proves nothing then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.fleet import heartbeat
from wherry.jobs.group import Group
from wherry.jobs.keys import Keys
from wherry.jobs.read import read
from wherry.jobs.record import NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.protocol.states import JobState
from wherry.workers.consuming import Consuming
from wherry.workers.keeper import Keeper

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
            probe=lambda group: None,
            restart=self._restart,
            clock=lambda: self.now_s,
        )
        self.keeper = Keeper("me", queue, settings, consuming, clock=lambda: self.now_s)
        job = NewJob(
            id="job",
            task="embedding",
            group=GROUP,
            payload=b"{}",
            header_length=2,
            fingerprint="f",
        )
        queue.run(submit(job, settings))
        queue.run(heartbeat("other", {}, settings))
        assert queue.run(claim(GROUP, "other", {GROUP.model_id: BatchBudget()}, settings)).jobs

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
