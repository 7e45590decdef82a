"""What a run's rows take of devices' time: their part of what the model has computed meanwhile."""

from __future__ import annotations

import time

from .served import Served

#: Seconds between two looks.
_LOOK_S = 2.0


class DeviceMeter:
    """Counts the device time of one shard's rows.

    Redis tells what devices computed for a model and how many rows, whoever asked; a row of ours is
    taken for as dear as any other of the same moments.
    """

    def __init__(self, served: Served, device_ms: float) -> None:
        """`device_ms` is what earlier tries at the shard took."""
        self._served = served
        self.device_ms = device_ms
        self._rows = 0
        self._before = served.device_work()
        self._looked_at = time.monotonic()

    def look(self, rows: int, *, now: bool = False) -> None:
        """Count what has come since the last look, of `rows` that were answered in all."""
        if not now and time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        found = self._served.device_work()
        if found is None or found == self._before:
            return  # nobody knows, or what was answered is not counted yet
        if self._before is not None and found[0] > self._before[0]:
            row_s = (found[1] - self._before[1]) / (found[0] - self._before[0])
            self.device_ms += max(0.0, row_s) * (rows - self._rows) * 1000
        self._before, self._rows = found, rows
