"""The sweep of the blob store: orphans go, and nothing else does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.jobs import JobsSettings, NewJob, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.orphans import SharedStoreError, Sweeper, payload_key, result_key
from wherry.jobs.record import BatchStats, ClaimedJob, Outcome
from wherry.jobs.recover import reap
from wherry.jobs.stores import FolderStore, S3Store, Store, open_store
from wherry.jobs.submit import submit

Make = Callable[..., NewJob]

DAY_S = 86_400


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "blobs")
        return
    shared: JobsSettings = request.getfixturevalue("s3")
    opened = open_store(shared.model_copy(update={"store_url": f"s3://wherry/{tmp_path.name}"}))
    assert isinstance(opened, S3Store)
    yield opened
    opened.client.close()


@pytest.fixture
def sweeper(queue: Queue, store: Store, settings: JobsSettings) -> Sweeper:
    return Sweeper(queue, store, settings)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day has passed for whoever sweeps."""
    now = time.time
    monkeypatch.setattr("wherry.jobs.orphans.time.time", lambda: now() + DAY_S)


class Jobs:
    """Jobs with their payload in the store."""

    def __init__(self, queue: Queue, store: Store, settings: JobsSettings, make: Make) -> None:
        self.queue, self.store, self.settings, self._make = queue, store, settings, make

    def submit(self, job_id: str) -> str:
        """Submit a job; its payload's reference."""
        ref = self.store.put(payload_key(job_id, "f0"), b"payload")
        self.queue.run(submit(self._make(id=job_id, payload_ref=ref), self.settings))
        return ref

    def claim(self) -> ClaimedJob:
        group = self._make().group
        return self.queue.run(
            claim(group, "w", {group.model_id: BatchBudget(max_rows=1)}, self.settings)
        ).jobs[0]

    def succeed(self, job: ClaimedJob) -> str:
        """Finish a job with its result in the store; the result's reference."""
        ref = self.store.put(result_key(job.id, job.attempt, "w"), b"result")
        outcome = Outcome(id=job.id, attempt=job.attempt, result_ref=ref, header_length=1)
        stats = BatchStats(group=self._make().group)
        assert self.queue.run(finish("w", [outcome], stats, self.settings)).accepted
        return ref


@pytest.fixture
def jobs(queue: Queue, store: Store, settings: JobsSettings, new_job: Make) -> Jobs:
    return Jobs(queue, store, settings, new_job)


def left(store: Store) -> set[str]:
    return {blob.ref for blob in store.blobs() if not blob.key.startswith("fleet/")}


def test_blobs_of_unknown_jobs_go(sweeper: Sweeper, store: Store, later: None) -> None:
    for name in ("a", "with/slash", "ümlaut", ".."):
        store.put(payload_key(name, "f"), b"x")
        store.put(result_key(name, 1, "w"), b"x")
    assert sweeper.sweep().removed == 8
    assert not left(store)


def test_what_a_job_wants_stays_and_what_it_wants_no_more_goes(
    sweeper: Sweeper, jobs: Jobs, later: None
) -> None:
    done_payload = jobs.submit("done")
    result = jobs.succeed(jobs.claim())
    late = jobs.store.put(result_key("done", 1, "another"), b"late")
    running = jobs.submit("running")
    jobs.claim()
    coming = jobs.store.put(result_key("running", 1, "w"), b"not finished yet")
    waiting = jobs.submit("waiting")
    second = jobs.store.put(payload_key("waiting", "f0"), b"a second submit's")
    other = jobs.store.put("elsewhere/42", b"none of ours")
    assert left(jobs.store) >= {done_payload, late, second}
    assert sweeper.sweep().removed == 3
    assert left(jobs.store) == {result, running, coming, waiting, other}


def test_a_dead_letter_keeps_its_payload_for_replay(
    sweeper: Sweeper, jobs: Jobs, later: None
) -> None:
    jobs.settings = jobs.settings.model_copy(update={"max_attempts": 1})
    payload = jobs.submit("poison")
    jobs.claim()
    assert jobs.queue.run(reap("w", jobs.settings, gone=True)).dead == 1
    assert sweeper.sweep().removed == 0
    assert left(jobs.store) == {payload}


def test_a_young_blob_may_be_of_a_job_just_being_submitted(sweeper: Sweeper, store: Store) -> None:
    ref = store.put(payload_key("coming", "f"), b"x")
    assert sweeper.sweep().orphans == 0
    assert left(store) == {ref}


def test_a_job_submitted_anew_has_a_blob_of_its_own(
    sweeper: Sweeper, jobs: Jobs, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was used before, and the sweep has just found the old blob to be an orphan."""
    old = jobs.store.put(payload_key("again", "f0"), b"payload")
    new = []
    swept = sweeper.sweep(found=lambda blob: new.append(jobs.submit("again")))
    assert swept.removed == 1
    assert left(jobs.store) == {*new}
    assert old not in new


def test_a_dry_run_removes_nothing(sweeper: Sweeper, store: Store, later: None) -> None:
    ref = store.put(payload_key("gone", "f"), b"x")
    found: list[str] = []
    swept = sweeper.sweep(dry_run=True, found=lambda blob: found.append(blob.ref))
    assert (swept.orphans, swept.removed, found) == (1, 0, [ref])
    assert left(store) == {ref}


def test_a_store_that_another_fleet_uses_is_not_swept(
    queue: Queue, store: Store, settings: JobsSettings, later: None
) -> None:
    ours = Sweeper(queue, store, settings)
    theirs = Sweeper(queue, store, settings.model_copy(update={"key_prefix": "other"}))
    ours.sweep()
    ref = store.put(payload_key("theirs", "f"), b"x")
    for sweeper in (theirs, ours):
        with pytest.raises(SharedStoreError, match="another fleet"):
            sweeper.sweep()
    assert left(store) == {ref}
    ours.sweep(adopt=True)
    assert not left(store)
    ours.sweep()


def test_an_emptied_redis_does_not_empty_the_store(
    queue: Queue, store: Store, sweeper: Sweeper, jobs: Jobs, later: None
) -> None:
    sweeper.sweep()
    ref = jobs.submit("one")
    queue.redis.flushall()
    with pytest.raises(SharedStoreError, match="Redis was emptied"):
        sweeper.sweep()
    assert left(store) == {ref}


def test_one_sweeps_in_a_period(queue: Queue, store: Store, settings: JobsSettings) -> None:
    workers = [Sweeper(queue, store, settings) for _ in range(3)]
    assert [worker.due() for worker in workers] == [True, False, False]
    elsewhere = FolderStore(Path("/another/folder"))
    assert Sweeper(queue, elsewhere, settings).due(), "each store has its own turn"


def test_what_was_not_written_to_its_end_goes(
    queue: Queue, settings: JobsSettings, tmp_path: Path
) -> None:
    """A write that the process did not survive."""
    store = FolderStore(tmp_path)
    store.put("part/1", b"hal")
    [part] = [path for path in tmp_path.rglob("*") if path.is_file()]
    old = time.time() - DAY_S
    os.utime(part, (old, old))
    assert Sweeper(queue, store, settings).sweep().removed == 1
    assert not left(store)


def test_jobs_that_name_no_blob_are_no_reason_to_keep_one(
    sweeper: Sweeper, jobs: Jobs, later: None
) -> None:
    ref = jobs.store.put(payload_key("small", "f0"), b"x")
    job = replace(jobs._make(id="small"), payload=b"{}")
    jobs.queue.run(submit(job, jobs.settings))
    assert sweeper.sweep().removed == 1
    assert ref not in left(jobs.store)
