"""How many rows a batch may hold on this device, as running out of memory has taught."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

from ..jobs.call import Queue
from ..jobs.fits import Fit, recall, remember
from ..jobs.settings import JobsSettings
from ..protocol.errors import WherryError
from ..tasks.base import TaskInput
from ..tasks.catalog import ModelDeclaration

log = logging.getLogger(__name__)

R = TypeVar("R")

#: Full batches that must go well before more rows are tried: at first, and at most. It doubles with
#: each time that memory runs out again, so that a limit which is there to stay costs ever less.
FIRST_PACE, LAST_PACE = 20, 5_000

#: A step up adds this part of the rows, one at least.
_STEP = 4


class ShapeBudget(Generic[R]):
    """One model's batch budget, by shape bucket: a power of two of what its largest row weighs.

    Memory that runs out halves the budget of that bucket. It grows back by steps, each after many
    full batches that went well; a step that fails goes back to what did. Larger rows need no less
    memory, so a bucket's limit holds for those above it too. Threads may share it.
    """

    def __init__(
        self,
        declared: int,
        *,
        weigh: Callable[[R], int],
        known: Mapping[int, Fit] | None = None,
        learned: Callable[[int, Fit | None], None] = lambda bucket, fit: None,  # noqa: ARG005 # keeps nothing
    ) -> None:
        self._declared, self._weigh, self._learned = declared, weigh, learned
        self._lock = threading.Lock()
        self._fits = {b: fit for b, fit in (known or {}).items() if 0 < fit.rows <= declared}
        #: Full batches that went well since a bucket's budget last changed.
        self._clean = dict.fromkeys(self._fits, 0)
        #: Buckets that came since there is a limit.
        self._seen: set[int] = set()

    def rows_for(self, bucket: int) -> int:
        """Rows of this weight that a batch may hold: one at least, all declared at most."""
        limits = [fit.rows for at, fit in dict(self._fits).items() if at <= bucket]
        return min([self._declared, *limits])

    @property
    def most(self) -> int:
        """Rows to claim at once: what the lightest rows that come allow."""
        if not self._fits:
            return self._declared
        with self._lock:
            return max(map(self.rows_for, self._seen), default=self._declared)

    def take(self, rows: Sequence[R], start: int) -> int:
        """How many rows from `start` on go together, in their order."""
        left = len(rows) - start
        if not self._fits:  # to weigh rows costs time, and hardly any device runs out of memory
            return min(left, self._declared)
        heaviest = 0
        for count in range(left):
            heaviest = max(heaviest, self._bucket(rows[start + count : start + count + 1]))
            if count + 1 > self.rows_for(heaviest):
                return max(1, count)
        return left

    def ran_out(self, rows: Sequence[R]) -> None:
        """These rows together ran out of memory."""
        self.out_of_memory(self._bucket(rows), len(rows))

    def ran(self, rows: Sequence[R]) -> None:
        """These rows together went well."""
        if self._fits:
            self.went_well(self._bucket(rows), len(rows))

    def out_of_memory(self, bucket: int, rows: int) -> None:
        """So many rows of this weight did not fit."""
        with self._lock:
            if rows > self.rows_for(bucket):
                return  # another thread, which began before that was learned
            old = self._fits.get(bucket, Fit(rows, 0, FIRST_PACE))
            pace = min(2 * old.pace, LAST_PACE) if old.good else old.pace
            # A step up that failed leads back to what went well, anything else to the half.
            back = old.good if 0 < old.good < rows else 0
            fit = Fit(back or max(1, rows // 2), back, pace)
            self._set(bucket, fit)
        self._learned(bucket, fit)

    def went_well(self, bucket: int, rows: int) -> None:
        """So many rows of this weight fitted."""
        with self._lock:
            self._seen.add(bucket)
            limits = [at for at in self._fits if at <= bucket]
            if not limits:
                return
            tightest = min(limits, key=lambda at: self._fits[at].rows)
            fit = self._fits[tightest]
            if rows < fit.rows:
                return  # not a full batch: it proves nothing
            self._clean[tightest] += 1
            if self._clean[tightest] < fit.pace:
                return
            grown = None  # all that was declared fits, and has for a while
            if fit.rows < self._declared:
                more = fit.rows + max(1, fit.rows // _STEP)
                grown = Fit(min(more, self._declared), fit.rows, fit.pace)
            self._set(tightest, grown)
        self._learned(tightest, grown)

    def _set(self, bucket: int, fit: Fit | None) -> None:
        self._clean[bucket] = 0
        if fit is None:
            del self._fits[bucket]
        else:
            self._fits[bucket] = fit

    def _bucket(self, rows: Sequence[R]) -> int:
        return max(map(self._weigh, rows), default=0).bit_length()


def declared_budget(declared: ModelDeclaration) -> ShapeBudget[TaskInput]:
    """A model's budget of which nothing is known, nor kept."""
    return ShapeBudget(declared.max_batch_size, weigh=_weight)


class Budgets:
    """What a fleet has learned of its models on this kind of device, kept in Redis."""

    def __init__(self, queue: Queue, settings: JobsSettings, device: str) -> None:
        self._queue, self._settings, self._device = queue, settings, device

    def open(self, declared: ModelDeclaration) -> ShapeBudget[TaskInput]:
        """A model's budget, as it was when a worker like this one last knew it."""
        known: dict[int, Fit] = {}
        try:
            known = self._queue.run(
                recall(self._device, declared.name, declared.version, self._settings)
            )
        except WherryError as error:
            log.warning("%s begins with its declared budget: %s", declared.name, error.message)
        return ShapeBudget(
            declared.max_batch_size,
            weigh=_weight,
            known=known,
            learned=partial(self._keep, declared),
        )

    def _keep(self, declared: ModelDeclaration, bucket: int, fit: Fit | None) -> None:
        log.warning(
            "%s: batches of weight 2^%d may hold %d rows on %s",
            declared.name,
            bucket,
            fit.rows if fit else declared.max_batch_size,
            self._device,
        )
        try:
            self._queue.run(
                remember(self._device, declared.name, declared.version, bucket, fit, self._settings)
            )
        except WherryError as error:
            log.warning("this is not kept: %s", error.message)


def _weight(row: TaskInput) -> int:
    return max(row.costs())
