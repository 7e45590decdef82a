"""Jobs that are watched from submit to their end, and what became of them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TypeVar

from wherry.client import Client, JobView
from wherry.protocol.errors import WherryError
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.waiting import until

T = TypeVar("T")


def text(n: int, size: int = 0, rows: int = 1) -> EmbeddingInput:
    """An input of a number's own, each row at least so many bytes long."""
    return EmbeddingInput(texts=[f"row {n} ".ljust(size, "x")] * rows)


@dataclass
class Ended:
    """What became of accepted jobs."""

    jobs: list[JobView]
    #: Accepted, and without an answer for ever.
    lost: int
    #: Ends beyond the first that a job's history shows.
    duplicated: int

    @property
    def attempts(self) -> int:
        """The most that any job took."""
        return max(job.attempt for job in self.jobs)


def follow(client: Client, ids: list[str], timeout_s: float = 60) -> Ended:
    """Wait for jobs; all must succeed that are not lost."""
    jobs, lost, duplicated = [], 0, 0
    deadline = time.monotonic() + timeout_s
    for job_id in ids:
        try:
            job = client.wait(job_id, max(1.0, deadline - time.monotonic()))
        except WherryError as error:
            print(f"lost: {job_id}: {error!r}")  # noqa: T201 # pytest shows it when a test fails
            lost += 1
            continue
        if job.status is not JobState.SUCCEEDED:
            print(f"lost: {job}")  # noqa: T201 # as above
        ends = [change.status for change in job.history].count(JobState.SUCCEEDED)
        lost += job.status is not JobState.SUCCEEDED
        duplicated += max(0, ends - 1)
        jobs.append(job)
    return Ended(jobs, lost, duplicated)


def at_rest(client: Client, timeout_s: float = 15) -> dict[str, int]:
    """The fleet's counters once nothing waits or runs by them."""
    return until(
        lambda: client.get("/v2/queues")["totals"],
        lambda totals: (totals["waiting"], totals["running"]) == (0, 0),
        timeout_s,
    )


class Trickle:
    """Submits a job every few milliseconds, as workers keep up with, until left."""

    def __init__(self, url: str, *, name: str, every_s: float = 0.02, size: int = 0) -> None:
        self.ids: list[str] = []
        self._client = Client(url, patience_s=60)
        self._name, self._every_s, self._size = name, every_s, size
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: Exception | None = None

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            number = len(self.ids)
            try:
                job = self._client.submit(
                    "embedding", text(number, self._size), id=f"{self._name}-{number}"
                )
            except Exception as error:
                self._error = error
                return
            self.ids.append(job.id)

    def next_end_s(self, client: Client, timeout_s: float = 60) -> float:
        """Seconds until a job has ended that is accepted from now on."""
        began, known = time.monotonic(), len(self.ids)
        until(lambda: len(self.ids), lambda count: count > known, timeout_s)
        client.wait(self.ids[known], timeout_s)
        return time.monotonic() - began

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()
        if self._error:
            raise self._error
