"""Every few seconds one of the keepers writes a point of the fleet's history."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..jobs.call import Queue
from ..jobs.fleet import FleetView
from ..jobs.history import SERIES, sample
from ..jobs.outage import Outage
from ..jobs.settings import JobsSettings

log = logging.getLogger(__name__)

#: Seconds until the next try after one that failed.
_RETRY_S = 10.0


class Historian:
    """Asks Redis for a point when one is due; that somebody wrote it is enough.

    Nothing else hangs on it: a point that cannot be written is missing in a chart.
    """

    def __init__(
        self, queue: Queue, settings: JobsSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue, self._settings, self._clock = queue, settings, clock
        self._due = dict.fromkeys(SERIES, clock())
        self._outage = {
            each: Outage(log, f"the history of {each} is not written") for each in SERIES
        }

    def look(self, fleet: FleetView) -> None:
        """Write what is due."""
        for series, due in self._due.items():
            if self._clock() < due:
                continue
            self._due[series] = self._clock() + _RETRY_S
            with self._outage[series].survived():
                rest_s = self._queue.run(sample(series, fleet, self._settings))
                self._due[series] = self._clock() + rest_s
