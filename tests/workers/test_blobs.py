"""A worker's way to the blob store: who is removed after a finish, and how long it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.group import Group
from wherry.jobs.orphans import payload_key
from wherry.jobs.record import BatchStats, ClaimedJob, NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import FolderStore
from wherry.jobs.submit import submit
from wherry.protocol.errors import NotFound, StoreUnavailable
from wherry.workers.batch import Encoded
from wherry.workers.blobs import Blobs, InterruptedWaitError, JobAnswer, Policy

GROUP = Group("text", "embedding", "1")


class Shaky(FolderStore):
    """A folder that is away for some calls, or for good."""

    away = 0
    asked = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable

    def get(self, ref: str) -> bytes:
        self._ask()
        return super().get(ref)

    def put(self, key: str, data: bytes) -> str:
        self._ask()
        return super().put(key, data)


class Bench:
    """A worker's hands: a job that it has claimed, whose bytes are in the store."""

    def __init__(self, queue: Queue, store: Shaky, settings: JobsSettings) -> None:
        self.queue, self.store, self.settings = queue, store, settings
        self.stopping = threading.Event()
        self.payload_ref = store.put(payload_key("job", "f"), b"payload")
        job = NewJob(
            id="job",
            task="embedding",
            group=GROUP,
            payload=b"payload",
            payload_ref=self.payload_ref,
            header_length=1,
            fingerprint="f",
        )
        queue.run(submit(job, settings))
        self.job: ClaimedJob = queue.run(
            claim(GROUP, "w", {GROUP.model_id: BatchBudget()}, settings)
        ).jobs[0]

    def blobs(self, policy: Policy, wait_s: float = 5) -> Blobs:
        return Blobs(
            self.store,
            self.queue,
            self.settings,
            policy=policy,
            wait_s=wait_s,
            stopping=self.stopping,
        )

    def answer(self, blobs: Blobs) -> JobAnswer:
        [answer] = blobs.keep([Encoded(self.job, b"a large result", 1)], "w")
        return answer

    def finish(self, answer: JobAnswer) -> frozenset[str]:
        stats = BatchStats(group=GROUP)
        return self.queue.run(finish("w", [answer.outcome()], stats, self.settings)).accepted

    def has(self, ref: str) -> bool:
        try:
            return bool(self.store.get(ref))
        except NotFound:
            return False


@pytest.fixture
def bench(redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    queue = Queue(redis_url)
    settings = JobsSettings(redis_url=redis_url, inline_max_bytes=0)
    yield Bench(queue, Shaky(tmp_path / "blobs"), settings)
    queue.close()


def test_an_accepted_job_leaves_its_result_and_no_payload(bench: Bench) -> None:
    blobs = bench.blobs("fail")
    answer = bench.answer(blobs)
    blobs.settle([bench.job], [answer.outcome()], bench.finish(answer))
    assert bench.has(answer.ref)
    assert not bench.has(bench.payload_ref)


def test_a_payload_stays_until_replicas_know_of_the_end(bench: Bench) -> None:
    """A failover may take the end back, and then the job runs again."""
    bench.settings = bench.settings.model_copy(
        update={"min_replicas": 1, "min_replicas_timeout_s": 0.01}
    )
    blobs = bench.blobs("fail")
    answer = bench.answer(blobs)
    blobs.settle([bench.job], [answer.outcome()], bench.finish(answer))
    assert bench.has(answer.ref)
    assert bench.has(bench.payload_ref)


def test_a_finish_that_is_late_only_for_its_first_try_keeps_its_result(bench: Bench) -> None:
    """The first was accepted, and its reply lost: the second is refused."""
    blobs = bench.blobs("fail")
    answer = bench.answer(blobs)
    assert bench.finish(answer)
    accepted = bench.finish(answer)
    blobs.settle([bench.job], [answer.outcome()], accepted)
    assert bench.has(answer.ref)


def test_a_late_answer_takes_its_own_result_and_not_the_payload_that_others_need(
    bench: Bench,
) -> None:
    blobs = bench.blobs("fail")
    answer = bench.answer(blobs)
    blobs.settle([bench.job], [answer.outcome()], frozenset())
    assert not bench.has(answer.ref)
    assert bench.has(bench.payload_ref)


def test_waiting_goes_on_until_the_store_is_back(bench: Bench) -> None:
    bench.store.away = 2
    [payload] = bench.blobs("wait").payloads([bench.job])
    assert payload == b"payload"


def test_failing_says_so_and_spares_the_store(bench: Bench) -> None:
    bench.store.away, bench.store.asked = 1000, 0
    found = bench.blobs("fail").payloads([bench.job] * 20)
    assert all(isinstance(payload, StoreUnavailable) for payload in found)
    assert bench.store.asked <= 8, "those at once; the rest knew by then"


def test_a_store_that_is_back_is_asked_again(bench: Bench) -> None:
    bench.store.away = 1
    blobs = bench.blobs("fail")
    assert isinstance(blobs.payloads([bench.job])[0], StoreUnavailable)
    time.sleep(1.1)  # for so long it counts as away
    assert blobs.payloads([bench.job]) == [b"payload"]


def test_waiting_has_an_end(bench: Bench) -> None:
    bench.store.away = 1000
    [payload] = bench.blobs("wait", wait_s=0.1).payloads([bench.job])
    assert isinstance(payload, StoreUnavailable)
    assert not isinstance(payload, InterruptedWaitError)


def test_an_outage_long_ago_takes_nothing_from_the_wait_for_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store.away = 1000
    blobs = bench.blobs("wait", wait_s=0.6)
    assert isinstance(blobs.payloads([bench.job])[0], StoreUnavailable)
    now = time.monotonic
    monkeypatch.setattr("wherry.workers.blobs.time.monotonic", lambda: now() + 3600)
    bench.store.away = 1
    assert blobs.payloads([bench.job]) == [b"payload"]


@pytest.mark.parametrize("step", ["payload", "result"])
def test_a_stopping_worker_does_not_wait(bench: Bench, step: str) -> None:
    bench.store.away = 1000
    bench.stopping.set()
    blobs = bench.blobs("wait", wait_s=60)
    look: dict[str, Callable[[], object]] = {
        "payload": lambda: isinstance(blobs.payloads([bench.job])[0], InterruptedWaitError),
        "result": lambda: bench.answer(blobs).interrupted,
    }
    assert look[step]()
