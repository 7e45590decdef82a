"""How many rows a job has: what one forward takes, and more of a model that is quick.

A job costs every process from here to the model some milliseconds, whatever it holds. Where a
forward takes no longer, several of them in one job are cheaper for all. A worker makes its batches
of the rows as ever, but nobody else's job comes in between: so a job is to take 20 ms at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...protocol.errors import WherryError
from .compute import WorkDone, work_done
from .fleet import Fleet

#: Seconds that a worker may be busy with one job of several forwards.
_JOB_S = 0.02

#: Batches that a worker has in hand at a time: Celery's threads, as `wherry worker` starts them.
THREADS = 3

#: Jobs answered after which the model is asked first; then whenever there are twice as many.
_FIRST_LOOK = 8


@dataclass(slots=True)
class JobSize:
    """The rows of a job, as the model turns out to be."""

    #: What workers have done for the model so far; None while nobody knows.
    work: Callable[[], WorkDone | None]
    #: What one forward takes, and what the server takes in one request.
    least: int
    most: int
    #: What one has from now on.
    rows: int = field(init=False)
    #: Rows a second that one worker does at most; 0 while nobody knows.
    rows_per_s: float = field(init=False, default=0.0)
    _began: WorkDone | None = field(init=False)
    _answered: int = 0
    _next_look: int = _FIRST_LOOK

    def __post_init__(self) -> None:
        self.rows = self.least
        self._began = self.work()

    @property
    def jobs_per_s(self) -> float:
        """Jobs a second that one worker does at most; 0 while nobody knows."""
        return self.rows_per_s / self.rows

    def answered(self) -> None:
        """Note that a job was; now and then the model is asked how quick it is."""
        self._answered += 1
        if self._answered == self._next_look:
            self._next_look *= 2
            self._look()

    def _look(self) -> None:
        now = self.work()
        if self._began is None or now is None or now.rows <= self._began.rows:
            return  # nobody knows, or Redis began anew
        rows = now.rows - self._began.rows
        row_s = (now.busy_s - self._began.busy_s) / rows
        # Its device does one batch at a time, each of its threads one beside.
        kept_s = max((now.compute_s - self._began.compute_s) / rows, row_s / THREADS)
        self.rows_per_s = 1 / max(1e-9, kept_s)
        forwards = int(_JOB_S / max(1e-9, row_s * self.least))
        self.rows = max(self.least, min(forwards * self.least, self.most))


def told_work(client: Fleet, model: str) -> Callable[[], WorkDone | None]:
    """What workers have done for a model, as the server tells it; None where it does not."""

    def work() -> WorkDone | None:
        try:
            return work_done(client, model)
        except WherryError:
            return None

    return work
