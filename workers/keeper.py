"""The keeper: a thread in every worker that mends what crashes and lost messages leave behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..jobs.call import Queue
from ..jobs.fleet import FleetView, uptime, view, waiting
from ..jobs.group import Group
from ..jobs.outage import Outage
from ..jobs.recover import reap, reissue, sweep
from ..jobs.settings import JobsSettings
from ..telemetry import traces
from .batch_trace import tell_lost
from .deaf_consumer import Consuming
from .identity import is_gone
from .threads import Every

log = logging.getLogger(__name__)

#: Seconds between two looks at the fleet, while it has work and while it has none. A ticket is
#: missed after 2 s: whoever finds its job by then sees that in time.
PERIOD_S, IDLE_PERIOD_S = 0.5, 2.0


class Keeper:
    """Takes back dead workers' jobs, re-issues lost tickets, expires what is past its deadline.

    All keepers do the same; every step is one atomic script, so it matters not who comes first.
    """

    def __init__(
        self,
        worker: str,
        queue: Queue,
        settings: JobsSettings,
        consuming: Consuming,
        *,
        seen: Callable[[FleetView], None] = lambda _: None,
        rejoined: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        #: Hears of the fleet at each look, and of each time that Redis was away.
        self._seen, self._rejoined = seen, rejoined
        self._worker, self._queue, self._settings = worker, queue, settings
        self._consuming, self._clock = consuming, clock
        #: When Redis last answered; None before the first look.
        self._seen_at: float | None = None
        #: Until when a missing heartbeat proves nothing.
        self._lenient_until = clock()
        self._after_loading, self._outage = False, Outage(log, "the keeper cannot look")
        self._idle = False
        self._thread = Every("wherry-keeper", lambda: self.period_s, self._tick)

    def start(self, *, after_loading: bool = False) -> None:
        """Start looking; `after_loading` says that Redis was loading until just now."""
        self._after_loading = after_loading
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._thread.stop()

    @property
    def away(self) -> bool:
        """Whether Redis did not answer the last look."""
        return self._outage.lasts

    @property
    def period_s(self) -> float:
        """Seconds until the next look."""
        # Looks further apart than half a lease are an outage.
        longest = self._settings.lease_ttl_s / 6
        return max(PERIOD_S, min(IDLE_PERIOD_S, longest)) if self._idle else PERIOD_S

    def _tick(self) -> None:
        with self._outage.noted():
            self.look()

    def look(self) -> None:
        """One round."""
        self._idle = False  # as long as nothing else is known
        fleet = self._queue.run(view(self._settings))
        self._seen(fleet)
        self._note_outage()
        lenient = self._clock() < self._lenient_until
        for worker in fleet.workers:
            if worker.id == self._worker:
                continue
            gone = worker.alive and is_gone(dict(worker.info))
            if gone or not (worker.alive or lenient):
                self._take_back(worker.id, gone=gone)
        late = self._queue.run(sweep(self._settings))
        if late and (pushed := self._queue.run(reissue(late, self._settings))):
            log.info(
                "another ticket for %d groups (%s, ...), whose jobs waited unclaimed",
                pushed,
                late[0].id,
            )
        unheard: tuple[Group, ...] = ()
        if fleet.totals.get("waiting"):
            unheard = self._queue.run(waiting(self._consuming.families(), self._settings))
        self._consuming.look(unheard)
        self._idle = not (fleet.totals.get("waiting") or fleet.totals.get("running"))

    def _note_outage(self) -> None:
        """After a time without Redis, give everybody a lease's time to beat again.

        Heartbeats run out in a Redis that is away, too: those of healthy workers as well.
        """
        now, lease_s = self._clock(), self._settings.lease_ttl_s
        if self._seen_at is None:
            # Redis counts the time that it loaded as well.
            young = self._after_loading or self._queue.run(uptime()) < lease_s
            away = lease_s if young else 0.0
        else:
            away = now - self._seen_at
        self._seen_at = now
        if away > lease_s / 2:  # a beat is due each third of it
            self._lenient_until = now + lease_s
            self._consuming.forget()
            self._rejoined()

    def _take_back(self, worker: str, *, gone: bool) -> None:
        is_tracing = traces.tracer() is not None
        reaped = self._queue.run(reap(worker, self._settings, gone=gone, traced=is_tracing))
        tell_lost(worker, reaped.lost, time.time_ns)
        if reaped.requeued or reaped.dead:
            log.warning(
                "worker %s is dead: %d jobs requeued, %d to the dead letters",
                worker,
                reaped.requeued,
                reaped.dead,
            )
        self._queue.run(reissue(reaped.groups, self._settings, at_once=True))
