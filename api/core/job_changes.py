"""The changes of all jobs, as they happen, for whoever watches a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Jobs that a watcher has yet to read, at most; of more it hears that it has missed some.
_MOST = 2000


class JobChanges:
    """What one watcher has yet to look at: jobs of a tenant, each with its last status.

    A watcher looks now and then, however often a job changes meanwhile.
    """

    def __init__(self, begins: str) -> None:
        """Hear of the jobs whose ids begin so."""
        self.begins = begins
        self._status: dict[str, str] = {}
        #: How many it will never hear of, because it was too slow or nobody told.
        self.missed = 0

    def note(self, status: str, job_id: str) -> None:
        """Tell it of a change."""
        if not job_id.startswith(self.begins):
            return
        if len(self._status) >= _MOST and job_id not in self._status:
            self.missed += 1
        else:
            self._status[job_id] = status

    def take(self, most: int, status: str) -> list[str]:
        """Some ids, those of a status first; the others of this look are missed."""
        ids = sorted(self._status, key=lambda job_id: self._status[job_id] != status)
        self.missed += max(0, len(ids) - most)
        self._status.clear()
        return ids[:most]


class JobFeed:
    """Hands each change to all who watch."""

    def __init__(self) -> None:
        self._watchers: set[JobChanges] = set()

    def __bool__(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def count(self, begins: str) -> int:
        """How many watch the jobs whose ids begin so."""
        return sum(watcher.begins == begins for watcher in self._watchers)

    @contextmanager
    def watching(self, begins: str) -> Iterator[JobChanges]:
        """Hear of jobs from now on."""
        changes = JobChanges(begins)
        self._watchers.add(changes)
        try:
            yield changes
        finally:
            self._watchers.discard(changes)

    def tell(self, found: Iterable[tuple[str, str]]) -> None:
        """Tell of statuses and ids."""
        for status, job_id in found:
            for watcher in self._watchers:
                watcher.note(status, job_id)

    def tell_of_a_gap(self) -> None:
        """The subscription broke off: changes may have been missed."""
        for watcher in self._watchers:
            watcher.missed += 1
