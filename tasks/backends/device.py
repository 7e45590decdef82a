from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Device:
    """What a worker computes on, one batch at a time."""

    def __init__(self, name: str = "cpu") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._released = threading.Condition()
        self._busy_s = 0.0
        self._turn = 0

    @contextmanager
    def compute(self) -> Iterator[None]:
        """Hold the device while a model runs."""
        with self._lock:
            started = time.perf_counter()
            try:
                yield
            finally:
                with self._released:
                    self._busy_s += time.perf_counter() - started
                    self._turn += 1
                    self._released.notify_all()

    @property
    def busy(self) -> bool:
        """Whether a model runs now."""
        return self._lock.locked()

    @property
    def turn(self) -> int:
        """How many times the device has been held and let go."""
        return self._turn

    def wait_for_turn(self, turn: int, timeout_s: float) -> None:
        """Wait until the device has been let go more than `turn` times, or some seconds."""
        with self._released:
            self._released.wait_for(lambda: self._turn > turn, timeout_s)

    @property
    def busy_s(self) -> float:
        """Seconds that the device has been held in all."""
        return self._busy_s
