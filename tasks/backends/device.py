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
        self._busy_s = 0.0

    @contextmanager
    def compute(self) -> Iterator[None]:
        """Hold the device while a model runs."""
        with self._lock:
            started = time.perf_counter()
            try:
                yield
            finally:
                self._busy_s += time.perf_counter() - started

    @property
    def busy_s(self) -> float:
        """Seconds that the device has been held in all."""
        return self._busy_s
