"""A step while this process owns it: its lease is kept alive, and what the run wants is heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..jobs.call import Queue
from ..jobs.run_records import RunWish, ShardCounts, Step
from ..jobs.run_steps import save_step
from ..jobs.settings import JobsSettings
from ..protocol.errors import Unavailable, WherryError
from ..workers.threads import Every

#: Leases renewed before they run out, and how soon at the latest a wish is heard.
_BEATS_A_LEASE, _BEAT_S = 4, 1.0

#: Seconds between two tries to save while Redis is away.
_RETRY_S = 0.5


class StepEnded(Exception):
    """Whoever is at a step is to leave it."""


class StepLost(StepEnded):
    """Another process has the step; what this one still knows of it is of no use."""


class StepCanceled(StepEnded):
    """The run has ended: nobody needs the step."""


class StepPaused(StepEnded):
    """The run is paused, or this process is to end: the step is given back."""


class StepYielded(StepPaused):
    """Another run worker is to have the step, which has none and is quicker."""


class StepHold:
    """One step and its lease. Use it in a `with` block; threads may share it."""

    def __init__(
        self, step: Step, queue: Queue, jobs: JobsSettings, draining: threading.Event
    ) -> None:
        self.step = step
        self._queue, self._jobs, self._draining = queue, jobs, draining
        #: Tells how far the step has come, where somebody would look at that.
        self.counts: Callable[[], ShardCounts] | None = None
        #: Called, from the lease's thread, when the run has been canceled.
        self.on_cancel: Callable[[], None] = _nothing
        #: News of what outside keeps the step from going on, "" for nothing; None for no news.
        self.waits_for: str | None = None
        self._wish: RunWish | None = RunWish.GO
        period_s = min(_BEAT_S, jobs.lease_ttl_s / _BEATS_A_LEASE)
        self._thread = Every("wherry-run-lease", period_s, self._beat)

    def __enter__(self) -> StepHold:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()

    @property
    def attempt(self) -> str:
        """What tells this try at the step from any other: what it stores is named by it."""
        return self.step.owner.rpartition("|")[2]

    def check(self) -> None:
        """Raise StepLost, StepCanceled, StepPaused where the step is to be left."""
        if self._wish is None:
            raise StepLost
        if self._wish is RunWish.CANCEL:
            raise StepCanceled
        if self._wish is RunWish.PAUSE or self._draining.is_set():
            raise StepPaused
        if self._wish is RunWish.YIELD:
            raise StepYielded

    def save(self, counts: ShardCounts | None = None, segment: str = "") -> None:
        """Save how far the step is, and what is in the store; a Redis that is away is waited for.

        Raises StepLost, StepCanceled: then nobody was told.
        """
        while True:
            try:
                self._save(counts, segment)
            except Unavailable:
                if self._draining.is_set():
                    raise
                time.sleep(_RETRY_S)
                continue
            if self._wish is None:
                raise StepLost
            if self._wish is RunWish.CANCEL:
                raise StepCanceled
            return

    def _save(self, counts: ShardCounts | None, segment: str) -> None:
        call = save_step(
            self.step,
            self._jobs.lease_ttl_s,
            self._jobs,
            counts=counts,
            segment=segment,
            waits_for=(told := self.waits_for),
        )
        found = self._queue.run(call)
        if self.waits_for == told:
            self.waits_for = None
        if self._wish is not None:  # what is lost stays so
            self._wish = found

    def _beat(self) -> None:
        if self._is_over():
            return
        try:
            self._save(self.counts and self.counts(), "")
        except WherryError:
            return  # Redis is away: the lease may run out meanwhile, which the next one tells
        if self._is_over() and self._wish is not None:
            self.on_cancel()

    def _is_over(self) -> bool:
        return self._wish in (None, RunWish.CANCEL)


def _nothing() -> None:
    """Nobody asked to be called."""
