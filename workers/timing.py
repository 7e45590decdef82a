"""How long a batch takes, part by part: for the model's statistics and the queue's estimates."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..jobs.group import Group
from ..jobs.record import BatchStats
from ..tasks.backends.device import Device

#: Seconds that a worker's recent load looks back.
_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a batch was: rows, the rows of each forward, and what its forwards had room for."""

    rows: int
    sizes: tuple[int, ...] = ()
    max_rows: int = 0
    #: Seconds that it took to write the answers down.
    writing_s: float = 0.0


class Timing:
    """Begins when a batch is claimed, in the thread that runs it."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._started = time.monotonic()
        self._before = device.held_s, device.waited_s, device.busy_s

    @property
    def total_s(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._started

    def stats(self, group: Group, ran: Ran, charges: Mapping[Group, int]) -> BatchStats:
        """The batch's numbers as finish takes them. The parts are never more than the whole."""
        held_s, waited_s, busy_s = self._before
        total_us = int(self.total_s * 1e6)
        waited_us = int((self._device.waited_s - waited_s) * 1e6)
        output_us = int(ran.writing_s * 1e6)
        # Some backends compute in a thread of their own, for several batches together.
        compute_s = self._device.held_s - held_s or self._device.busy_s - busy_s
        rest_us = max(0, total_us - waited_us - output_us)
        return BatchStats(
            group=group,
            rows=ran.rows,
            max_rows=len(ran.sizes) * ran.max_rows,
            executions=len(ran.sizes),
            sizes=ran.sizes,
            waited_us=waited_us,
            compute_us=min(int(compute_s * 1e6), rest_us),
            output_us=output_us,
            total_us=total_us,
            charges=charges,
        )


class RecentLoad:
    """How busy the device was in the last minute, and how full its batches."""

    def __init__(self, device: Device, clock: Callable[[], float] = time.perf_counter) -> None:
        self._device, self._clock = device, clock
        self._lock = threading.Lock()
        self._rows, self._places = 0, 0
        self._marks = deque([(clock(), device.busy_so_far_s, 0, 0)])

    def ran(self, stats: BatchStats) -> None:
        """Count a batch."""
        with self._lock:
            self._rows += stats.rows
            self._places += stats.max_rows

    def busy_share(self) -> float:
        """Share of about the last minute in which the device computed."""
        return self.measure()["busy_share"]

    def measure(self) -> Mapping[str, float]:
        """Shares from about a minute ago until now, for a worker's heartbeat: it measures time."""
        now, busy_s = self._clock(), self._device.busy_so_far_s
        with self._lock:
            self._marks.append((now, busy_s, self._rows, self._places))
            while len(self._marks) > 2 and self._marks[1][0] <= now - _WINDOW_S:
                self._marks.popleft()
            at, before_s, rows, places = self._marks[0]
            rows, places = self._rows - rows, self._places - places
        busy = min(1.0, (busy_s - before_s) / (now - at)) if now > at else 0.0
        filled = {"batch_fill": round(rows / places, 4)} if places else {}
        return {"busy_share": round(busy, 3), **filled}
