"""A worker that has another blob store or other models than its fleet says so and claims none."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.jobs import queue_format
from wherry.jobs.call import Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.group import Group
from wherry.jobs.keys import Keys
from wherry.jobs.proof import Proof, leave, set_proof, shown, write
from wherry.jobs.read import read
from wherry.jobs.record import ClaimedJob, JobRecord, NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import FolderStore
from wherry.jobs.submit import submit
from wherry.protocol.errors import BackendError, StoreUnavailable
from wherry.tasks.catalog import ModelDeclaration
from wherry.workers.belonging import Belonging
from wherry.workers.missed import MOST_MISSED, Missed

GROUP = Group("text", "embedding", "1")
MODEL = ModelDeclaration(name="embedding", task="embedding", backend="stub")
PREFIX = "belonging"  # an API of other tests may live beside
KEYS = Keys(PREFIX)


class Shaky(FolderStore):
    """A folder that may be away."""

    away = False

    def get(self, ref: str) -> bytes:
        if self.away:
            raise StoreUnavailable
        return super().get(ref)


class Bench:
    """A worker's place in a fleet whose API writes to the folder `api`."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.settings = JobsSettings(redis_url=redis_url, key_prefix=PREFIX)
        self.queue = Queue(redis_url)
        self.api, self.store = FolderStore(folder / "api"), Shaky(folder / "worker")
        self.listens: list[bool] = []
        self.now_s = 0.0
        self.belonging = Belonging(
            self.store,
            self.queue,
            self.settings,
            lambda: [MODEL],
            listen=self.listens.append,
            clock=lambda: self.now_s,
        )
        self.missed = Missed("w", self.queue, self.settings, self.belonging)

    def mark(self, store: FolderStore) -> Proof:
        proof = write(store)
        self.queue.run(set_proof(proof, self.queue.run(shown(self.settings)).proof, self.settings))
        return proof

    def declare(self, api: str, **tasks: str) -> None:
        tasks = {f"{name}/1": task for name, task in tasks.items()}
        self.queue.run(shown(self.settings, api=api, tasks=tasks))

    def declare_as(self, api: str, declared: ModelDeclaration) -> None:
        model_id = f"{declared.name}/{declared.version}"
        self.queue.run(
            shown(
                self.settings,
                api=api,
                tasks={model_id: declared.task},
                said={"declared": {model_id: declared.digest}},
            )
        )

    def submit(self, *ids: str, group: Group = GROUP) -> None:
        for job_id in ids:
            job = NewJob(
                id=job_id,
                task="embedding",
                group=group,
                payload=b"{}",
                payload_ref="payload/gone",
                header_length=2,
                fingerprint="f",
            )
            self.queue.run(submit(job, self.settings))

    def claim(self) -> tuple[ClaimedJob, ...]:
        budgets = {GROUP.model_id: BatchBudget()}
        return self.queue.run(claim(GROUP, "w", budgets, self.settings)).jobs

    def record(self, job_id: str) -> JobRecord:
        [found] = self.queue.run(read([job_id], self.settings))
        assert found is not None
        return found

    def sort_out(self, jobs: tuple[ClaimedJob, ...]) -> tuple[list[str], list[Any]]:
        payloads: list[Any] = []
        for job in jobs:
            try:
                payloads.append(self.store.get(job.payload_ref))
            except Exception as error:
                payloads.append(error)
        kept, found = self.missed.sort_out(jobs, payloads)
        return [job.id for job in kept], found


@pytest.fixture
def bench(redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(redis_url, tmp_path)
    yield bench
    bench.queue.close()


def test_with_the_fleets_store_it_serves(bench: Bench) -> None:
    bench.mark(bench.store)
    assert bench.belonging.look()
    assert (bench.belonging.reason, bench.listens) == ("", [True])


def test_with_another_store_it_says_both_and_listens_no_more_until_it_is_right(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark(bench.api)
    for _ in range(3):
        assert not bench.belonging.look()
    told = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert told == [f"this worker claims nothing: {bench.belonging.reason}"], "once"
    for store in (bench.api, bench.store):
        assert store.name in bench.belonging.reason
    assert "WHERRY_STORE_URL" in bench.belonging.reason
    bench.mark(bench.store)
    assert bench.belonging.look()
    assert (bench.belonging.reason, bench.listens) == ("", [False, False, False, True])


@pytest.mark.parametrize("right", [True, False])
def test_a_store_that_is_away_proves_nothing(bench: Bench, right: bool) -> None:
    bench.mark(bench.store if right else bench.api)
    bench.belonging.look()
    bench.store.away = True
    assert bench.belonging.look() == right


def test_before_any_api_it_serves_and_says_what_may_be_wrong(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert bench.belonging.look()
    assert not caplog.records, "an API that starts beside it needs its time"
    bench.now_s += 30
    for _ in range(3):
        assert bench.belonging.look()
    [record] = caplog.records
    assert "no API has shown itself under the key prefix 'belonging'" in record.message
    assert "WHERRY_KEY_PREFIX" in record.message


def test_it_looks_now_and_then_soon_while_it_is_wrong_and_at_once_when_told(bench: Bench) -> None:
    redis: Any = bench.queue.redis

    def looks(after_s: float) -> bool:
        redis.config_resetstat()
        bench.now_s += after_s
        bench.belonging._tick()
        return "cmdstat_evalsha" in redis.info("commandstats")

    bench.mark(bench.store)
    assert [looks(s) for s in (0, 1, 28, 2)] == [True, False, False, True]
    bench.mark(bench.api)
    assert [looks(s) for s in (29, 1.5, 4, 1.5)] == [False, True, False, True]
    bench.belonging.again()
    assert looks(0)


def test_a_model_of_another_task_is_refused_and_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark(bench.store)
    bench.declare("a", embedding="text-classification", other="embedding")
    assert bench.belonging.look()
    assert bench.belonging.refused == {
        "embedding/1": "model embedding/1 does embedding here, and text-classification at the API:"
        " give both the same models.toml"
    }
    assert bench.belonging.reason in caplog.text
    bench.declare("b", embedding="embedding")  # as amid a change: one of the two is right
    bench.belonging.look()
    assert bench.belonging.refused == {}


def test_a_model_that_no_api_declares_is_told_of_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark(bench.store)
    bench.declare("a", other="embedding")
    for _ in range(3):
        assert bench.belonging.look()
    assert bench.belonging.refused == {}
    [record] = caplog.records
    assert record.message == "model embedding/1 is declared by no API: nobody can ask for it"


def test_a_payload_that_is_not_in_another_store_goes_back_however_often(bench: Bench) -> None:
    bench.mark(bench.api)
    bench.submit("a")
    bench.submit("b", group=replace(GROUP, priority=6))
    for _ in range(MOST_MISSED + 2):
        assert bench.sort_out(bench.claim()) == ([], [])
        assert [bench.record(i).status for i in "ab"] == ["queued"] * 2
    assert bench.belonging.outside
    record = bench.record("a")
    assert record.attempt == 0, "it was not begun"
    assert [job.id for job in bench.claim()] == ["a", "b"]


def test_one_that_is_gone_from_the_fleets_store_fails_after_some_looks(bench: Bench) -> None:
    bench.mark(bench.store)
    bench.submit("a")
    for _ in range(MOST_MISSED - 1):
        assert bench.sort_out(bench.claim()) == ([], [])
        assert bench.record("a").status == "queued"
    ids, [error] = bench.sort_out(bench.claim())
    assert ids == ["a"], "it is this worker's to end"
    assert isinstance(error, BackendError)
    assert error.message.startswith("the payload is gone: no blob 'payload/gone', and 3 looks")
    assert bench.record("a").status == "running"


def test_others_of_its_batch_go_on(bench: Bench) -> None:
    bench.mark(bench.store)
    bench.submit("a")
    ref = bench.store.put("payload/gone", b"{}")
    bench.submit("b", "c")
    redis: Any = bench.queue.redis
    redis.hset(KEYS.job("b"), "payload_ref", "payload/other")
    assert ref == "payload/gone"
    assert bench.sort_out(bench.claim()) == (["a", "c"], [b"{}", b"{}"])
    assert bench.record("b").status == "queued"
    assert redis.smembers(KEYS.running("w")) == {b"a", b"c"}


def test_while_redis_is_away_they_stay_for_the_lease_to_find(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.mark(bench.store)
    bench.submit("a")
    jobs = bench.claim()
    monkeypatch.setattr(bench.queue, "run", _away)
    assert bench.sort_out(jobs) == ([], [])


def _away(_: object) -> None:
    raise StoreUnavailable


def test_one_that_cannot_read_the_apis_queue_says_so_and_claims_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark(bench.store)
    bench.declare("an API", embedding="embedding")
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(queue_format, "OURS", queue_format.Build("9.9", 2, 2))
        assert not bench.belonging.look()
        assert not bench.belonging.look()
    [record] = caplog.records
    assert "claims nothing: its queue format 2 (Wherry 9.9) is newer than that of" in record.message
    assert bench.belonging.reason in record.message
    assert bench.listens[-1] is False
    assert bench.belonging.look()
    assert (bench.belonging.reason, bench.listens[-1]) == ("", True)


def test_an_older_one_leaves_a_newer_apis_queue_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.mark(bench.store)
    with monkeypatch.context() as patch:
        patch.setattr(queue_format, "OURS", queue_format.Build("9.9", 2, 2))
        bench.declare("an API", embedding="embedding")
    assert not bench.belonging.look()
    assert "older than that of" in bench.belonging.reason
    assert "upgrade this one" in bench.belonging.reason


def test_an_api_that_was_refused_itself_keeps_no_worker_from_its_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.mark(bench.store)
    bench.declare("the one before", embedding="embedding")
    with monkeypatch.context() as patch:
        patch.setattr(queue_format, "OURS", queue_format.Build("9.9", 2, 2))
        said = {"refused": "its queue format is newer"}
        bench.queue.run(shown(bench.settings, api="an API", tasks={}, said=said))
    assert bench.belonging.look()
    bench.queue.run(leave("the one before", bench.settings))
    assert not bench.belonging.look(), "it is waited for now"


def test_a_model_that_is_declared_otherwise_is_told_once_it_stays_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark(bench.store)
    bench.declare_as("new", MODEL.model_copy(update={"max_batch_size": 7}))
    bench.belonging.look()
    assert bench.belonging.warnings == [], "one of us may just be reading models.toml again"
    bench.belonging.look()
    [warning] = bench.belonging.warnings
    assert warning.startswith("model embedding/1 is declared otherwise here than at the API")
    assert warning in caplog.messages
    bench.declare_as("new", MODEL)
    bench.belonging.look()
    assert bench.belonging.warnings == []
    assert bench.belonging.reason == "", "it served all the while"


def test_where_a_folder_lies_and_how_it_is_described_is_each_machines_own(bench: Bench) -> None:
    theirs = MODEL.model_copy(update={"source": "/srv/a/mini", "description": "small"})
    ours = MODEL.model_copy(update={"source": "/home/b/mini"})
    assert theirs.digest == ours.digest
    assert ours.digest != MODEL.digest
    assert ours.digest != ours.model_copy(update={"parameters": {"words": 3}}).digest


def test_an_api_of_an_older_version_says_nothing_of_declarations(bench: Bench) -> None:
    bench.mark(bench.store)
    bench.declare("old", embedding="embedding")
    for _ in range(2):
        bench.belonging.look()
    assert bench.belonging.warnings == []


@pytest.mark.parametrize(("off_s", "side"), [(-90.0, "behind"), (40.0, "ahead of"), (0.0, "")])
def test_a_clock_that_is_not_redis_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, off_s: float, side: str
) -> None:
    now = time.time
    bench.mark(bench.store)
    monkeypatch.setattr("wherry.workers.belonging.time.time", lambda: now() + off_s)
    bench.belonging.start()
    bench.belonging.stop()
    said = [
        f"clock is {abs(off_s):.0f} s {side} Redis'" in text for text in bench.belonging.warnings
    ]
    assert said == ([True] if side else [])
