"""A worker's hold on its jobs: the heartbeat, what it runs, and the watch over hung batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..jobs.call import Queue
from ..jobs.fleet import heartbeat
from ..jobs.group import Group
from ..jobs.keys import Keys
from ..jobs.outage import Outage
from ..jobs.settings import JobsSettings
from ..protocol.errors import QueueLoading, WherryError
from .threads import Every, die

log = logging.getLogger(__name__)

#: Seconds between two tries at the start while Redis loads.
_LOADING_PAUSE_S = 1.0


class Lease:
    """Renews `alive:<worker>` and knows which jobs this worker holds.

    A claim or finish whose reply was cut off can leave jobs bound to a worker that does not know
    of them: what Redis lists and the worker does not hold, seen twice, is handed to `give_back`.
    """

    def __init__(
        self,
        worker: str,
        queue: Queue,
        settings: JobsSettings,
        *,
        info: Callable[[], dict[str, object]],
        give_back: Callable[[list[str]], None],
        batch_timeout_s: float,
        end: Callable[[str], None] = die,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker, self._queue, self._settings = worker, queue, settings
        self._info, self._give_back = info, give_back
        self._batch_timeout_s, self._end, self._clock = batch_timeout_s, end, clock
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._batches: dict[int, tuple[float, Group]] = {}
        self._stray: set[str] = set()
        self._outage = Outage(log, "heartbeats fail")
        # Three beats a lease: one may be late and one may be lost.
        self._thread = Every("wherry-lease", settings.lease_ttl_s / 3, self._tick)

    def wait_while_loading(self) -> bool:
        """Wait for a Redis that loads, and say whether it did; one that is away is no matter."""
        waited = False
        while True:
            try:
                self._queue.members(Keys(self._settings.key_prefix).workers)
            except QueueLoading as error:
                if not waited:
                    log.warning("the start waits: %s", error.message)
                waited = True
                time.sleep(_LOADING_PAUSE_S)
            except WherryError:
                return waited  # whoever needs it will say so
            else:
                return waited

    def start(self) -> None:
        """Beat once before anything is claimed, then go on beating."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop beating. The caller says goodbye."""
        self._thread.stop()

    @property
    def held(self) -> int:
        """How many jobs this worker runs now."""
        with self._lock:
            return len(self._held)

    @contextmanager
    def holding(
        self, group: Group, job_ids: Iterable[str], *, may_hang: bool = True
    ) -> Iterator[None]:
        """Hold jobs while a batch runs; one that cannot hang may take as long as it likes."""
        ids, token = set(job_ids), threading.get_ident()
        with self._lock:
            self._held |= ids
            if may_hang:
                self._batches[token] = (self._clock(), group)
        try:
            yield
        finally:
            with self._lock:
                self._held -= ids
                self._batches.pop(token, None)

    def _tick(self) -> None:
        with self._lock:
            oldest = min(self._batches.values(), default=None, key=lambda batch: batch[0])
        if oldest and self._clock() - oldest[0] > self._batch_timeout_s:
            self._end(f"a batch of {oldest[1].id} hung for over {self._batch_timeout_s:.0f} s")
        with self._outage.noted():
            self.beat()
            self._find_strays()

    def beat(self) -> None:
        """Tell of this worker now."""
        self._queue.run(heartbeat(self._worker, self._info(), self._settings))

    def _find_strays(self) -> None:
        with self._lock:
            before = set(self._held)
        key = Keys(self._settings.key_prefix).running(self._worker)
        listed = {item.decode() for item in self._queue.members(key)}
        with self._lock:
            stray = listed - before - self._held
        again = stray & self._stray
        self._stray = stray - again
        if again:
            log.warning("giving back %d jobs that a lost reply left here", len(again))
            self._give_back(sorted(again))
