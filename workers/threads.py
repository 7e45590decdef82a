"""Threads that a worker cannot live without."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Exit status of a process that ended itself (EX_SOFTWARE): its supervisor starts a fresh one.
EXIT_BROKEN = 70

#: Exit status of a worker that cannot start as it is told to (EX_CONFIG): a fresh one could not.
EXIT_UNUSABLE = 78


def die(reason: str) -> None:
    """End the process at once; its jobs' leases run out and others take them over."""
    log.critical("%s; this worker ends itself", reason)
    logging.shutdown()
    os._exit(EXIT_BROKEN)


class Every(threading.Thread):
    """Calls `tick` every `period_s` until stopped; a function says it anew after each.

    A worker whose heartbeat or keeper thread had died would look alive and do nothing, so an
    exception that `tick` lets through ends the process.
    """

    def __init__(
        self, name: str, period_s: float | Callable[[], float], tick: Callable[[], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._period_s, self._tick = period_s, tick
        self._stopped = threading.Event()

    def run(self) -> None:
        """Tick first, then wait."""
        try:
            while True:
                self._tick()
                period = self._period_s
                if self._stopped.wait(period() if callable(period) else period):
                    return
        except BaseException:
            log.exception("thread %s died", self.name)
            die(f"thread {self.name} died")

    def stop(self) -> None:
        """Let the current tick end, then join."""
        self._stopped.set()
        if self.is_alive():
            self.join(timeout=10)
