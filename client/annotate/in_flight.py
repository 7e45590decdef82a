"""How many jobs of an annotation are in flight: enough that no worker waits, and no more.

A worker has a batch in each of its threads, and one more waits to be the next. While an answer is
read and another job is sent, workers go on: by Little's law so many jobs are in flight besides as
they do in that time. Several processes that feed the same workers share what these need.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ...protocol.errors import WherryError
from .job_size import THREADS, JobSize

#: Jobs in flight for each worker, where a call takes no time: what it has claimed, what waits.
JOBS_PER_WORKER = THREADS + 1

#: As many times that there are at most, however long a call takes: they lie in memory.
_MOST = 6

#: Calls from an end to the next job at most: the read that was too early, its next, and one that
#: sends.
_CALLS = 3

#: Seconds between two looks at how many workers there are.
_LOOK_S = 2.0


def _alone() -> int:
    return 1


class JobsInFlight:
    """One process's jobs in flight, as its fleet turns out to be."""

    def __init__(
        self,
        workers: int,
        size: JobSize | None = None,
        *,
        count: Callable[[], int] | None = None,
        sharers: Callable[[], int] = _alone,
    ) -> None:
        """`workers` serve the model now, `count` tells later how many do.

        `sharers` tells how many processes feed them, this one among them.
        """
        self._workers, self._size, self._count = workers, size, count
        self._sharers = sharers
        self._looked_at = time.monotonic()

    def look(self) -> None:
        """Count the workers again, now and then."""
        if self._count is None or time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        try:
            self._workers = self._count()
        except WherryError:
            return  # as many as there were

    def room(self, call_s: float) -> int:
        """How many jobs this process may have in flight, where a call takes so long.

        One at least, so that all who share come on.
        """
        whole = jobs_in_flight(self._workers, self._size.jobs_per_s if self._size else 0.0, call_s)
        return max(1, math.ceil(whole / max(1, self._sharers())))


def jobs_in_flight(workers: int, jobs_per_s: float, call_s: float) -> float:
    """What keeps so many workers busy, one of which does so many jobs a second at most."""
    in_calls = min(jobs_per_s * _CALLS * call_s, (_MOST - 1) * JOBS_PER_WORKER)
    return max(1, workers) * (JOBS_PER_WORKER + in_calls)
