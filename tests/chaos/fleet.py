"""Two workers under fire, and what the jobs' own histories tell of it afterwards."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from wherry.client import Client
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.fleet import view
from wherry.jobs.fleet_views import WorkerView
from wherry.jobs.read import read
from wherry.jobs.record import JobRecord
from wherry.ops.stack import Stack
from wherry.protocol.states import JobState

#: Seconds a worker's heartbeat lasts in these tests.
LEASE_S = 5.0

_FAMILY, _WORKERS = "vision", (0, 1)


@dataclass(frozen=True, slots=True)
class Hit:
    """A worker that was hit, and when."""

    worker: str
    at_ms: float


class Fleet:
    """A running stack, read and hurt behind its API's back."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = Client(stack.url, patience_s=60)
        self.settings = JobsSettings(redis_url=stack.redis_url)
        self.queue = Queue(stack.redis_url)

    def close(self) -> None:
        self.client.close()
        self.queue.close()

    def submit(self, model: str, rows: Sequence[tuple[str, bytes]]) -> None:
        """Submit jobs of one picture each, under their ids, as many in a call as it may hold."""
        jobs = [
            {"model_name": model, "request": {"id": job_id, "inputs": [_picture(content)]}}
            for job_id, content in rows
        ]
        for first in range(0, len(jobs), 1000):
            answer = self.client.post("/v2/jobs:batch", {"jobs": jobs[first : first + 1000]})
            assert all(item["status_code"] == 202 for item in answer["jobs"]), answer["jobs"][:3]

    def totals(self) -> dict[str, int]:
        return self.queue.run(view(self.settings)).totals

    def waiting(self) -> int:
        return self.totals().get("waiting", 0)

    def worker_id(self, number: int) -> str | None:
        """The id under which a worker's present process is alive; None while it starts."""
        pid = self.stack.worker(_FAMILY, number).pid
        found = (w.id for w in self._alive() if w.info.get("pid") == pid)
        return None if pid is None else next(found, None)

    def _alive(self) -> list[WorkerView]:
        workers = self.queue.run(view(self.settings)).workers
        return [w for w in workers if w.alive and w.info.get("state") != "loading"]

    def hit(self, number: int, signal: int) -> Hit | None:
        """Send a worker a signal; None when it is not up."""
        worker = self.worker_id(number)
        if worker is None:
            return None
        at_ms = time.time() * 1000
        self.stack.worker(_FAMILY, number).signal(signal)
        return Hit(worker, at_ms)

    def ended(self, ids: Sequence[str], timeout_s: float) -> list[JobRecord]:
        """Records once every job has ended. An id that Redis does not know is an error, and so is
        a time in which none ends: what a long run leaves behind takes a while.
        """
        deadline = time.monotonic() + timeout_s
        left, ended = list(ids), dict[str, JobRecord]()
        while left:
            before = len(ended)
            for record in self._records(left):
                if record.status.terminal:
                    ended[record.id] = record
            left = [job_id for job_id in left if job_id not in ended]
            if len(ended) > before:
                deadline = time.monotonic() + timeout_s
            elif time.monotonic() > deadline:
                raise AssertionError(f"{len(left)} of {len(ids)} jobs never ended: {left[:5]}")
            time.sleep(min(1.0, len(left) / 1000))  # reading thousands keeps Redis from its work
        return [ended[job_id] for job_id in ids]

    def _records(self, ids: Sequence[str]) -> Iterator[JobRecord]:
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            found: list[JobRecord | None] = self.queue.run(read(part, self.settings))
            for job_id, record in zip(part, found, strict=True):
                assert record is not None, f"job {job_id} is lost"
                yield record


def _picture(content: bytes) -> dict[str, object]:
    text = base64.b64encode(content).decode()
    base64d = {"content_type": "base64"}
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    return {**tensor, "parameters": base64d}


@dataclass(slots=True)
class Source:
    """Jobs that come until told otherwise: in a trickle, or so that a backlog always waits."""

    fleet: Fleet
    name: str
    trickle: bool
    ids: list[str] = field(default_factory=list)
    #: So many jobs hold this word, one of 40 until then.
    word: str = ""
    marked: int = 0
    #: Ids by the SHA-256 of their picture.
    digests: dict[str, str] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "source"))
    _sending: Future[None] | None = None

    #: Jobs of one call, and that wait at least in a backlog.
    BATCH, BACKLOG = 100, 300

    #: Jobs that wait at most in a trickle: two batches a thread of one worker.
    MOST_OF_A_TRICKLE = 100

    def __enter__(self) -> Self:
        self._sending = self._pool.submit(self._run)
        return self

    def until(self, enough: Callable[[], bool], timeout_s: float) -> None:
        """Let it flow until there is enough of something."""
        deadline = time.monotonic() + timeout_s
        while not enough():
            self.check()
            assert time.monotonic() < deadline, "not enough in time"
            time.sleep(0.05)

    def check(self) -> None:
        """Raise what broke it, if anything did."""
        assert self._sending is not None
        if self._sending.done():
            self._sending.result()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown()
        self.check()

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self.trickle:
                # Kills take more than jobs bring, now and then: a trickle must not pile up.
                if self.fleet.waiting() < self.MOST_OF_A_TRICKLE:
                    self._send(1)
                self._stopped.wait(0.02)
            elif self.fleet.waiting() < self.BACKLOG:
                self._send(self.BATCH)
            else:
                self._stopped.wait(0.05)

    def _send(self, count: int) -> None:
        rows = []
        for _ in range(count):
            number = len(self.ids)
            word = f" {self.word}" if number % 40 == 39 and number // 40 < self.marked else ""
            job_id, content = f"{self.name}-{number}", f"row {self.name} {number}{word}".encode()
            self.digests[hashlib.sha256(content).hexdigest()] = job_id
            self.ids.append(job_id)
            rows.append((job_id, content))
        self.fleet.submit("busy", rows)


def lost(records: Iterable[JobRecord]) -> int:
    """Accepted jobs without an answer, though nothing was wrong with them."""
    return sum(record.status is not JobState.SUCCEEDED for record in records)


def duplicated(records: Iterable[JobRecord]) -> int:
    """Ends beyond the first that a job's history shows."""
    ends = (sum(change.status.terminal for change in record.history) for record in records)
    return sum(max(0, count - 1) for count in ends)


def recoveries_s(hits: Sequence[Hit], records: Sequence[JobRecord]) -> list[float]:
    """Per hit that found jobs under way: seconds until the last of them had begun anew.

    Only hits beside which another worker was up all the while: to have none is another matter.
    """
    latest: dict[Hit, float] = {}
    for record in records:
        for began, after, again in zip(
            record.history, record.history[1:], record.history[2:], strict=False
        ):
            if after.status is JobState.QUEUED and again.status is JobState.RUNNING:
                for hit in hits:
                    if hit.worker == began.worker and began.at_ms <= hit.at_ms <= after.at_ms + 1:
                        latest[hit] = max(latest.get(hit, 0.0), (again.at_ms - hit.at_ms) / 1000)
    claims = _claims(records)
    return [took for hit, took in latest.items() if _accompanied(hit, took, hits, claims)]


def _claims(records: Iterable[JobRecord]) -> dict[str, list[int]]:
    """When each worker claimed something."""
    found: dict[str, list[int]] = {}
    for record in records:
        for change in record.history:
            if change.status is JobState.RUNNING:
                found.setdefault(change.worker, []).append(change.at_ms)
    return found


def _accompanied(
    hit: Hit, took_s: float, hits: Iterable[Hit], claims: dict[str, list[int]]
) -> bool:
    """Whether another worker was at work when this one was hit, and was left alone until it ended.

    What took over 10 s counts if the other was left alone for 10 s: time enough.
    """
    began, ended = hit.at_ms - 2_000, hit.at_ms + 1000 * min(took_s, 10.0)
    return any(
        worker != hit.worker
        and any(began < at_ms < hit.at_ms + 500 for at_ms in times)
        and not any(other.worker == worker and began < other.at_ms < ended for other in hits)
        for worker, times in claims.items()
    )
