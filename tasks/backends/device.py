from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

#: Seconds that a thread which lets go of the device waits at most until the next one has it.
_GIVES_WAY_S = 0.005


class DeviceTurn(NamedTuple):
    """One turn at the device, by `time.perf_counter`."""

    #: When it was asked for, had, and let go.
    came_s: float
    began_s: float
    ended_s: float


class Device:
    """What a worker computes on, one batch at a time.

    `asked` is the device as its operator named it, where that is another name: a pinned process
    sees its GPU as cuda:0. One that begins with auto was chosen, not asked for.
    """

    def __init__(self, name: str = "cpu", *, asked: str = "") -> None:
        self.name, self.asked = name, asked or name
        #: Which runtimes compute elsewhere, and why: only where the device was chosen.
        self.warnings: list[str] = []
        self._changed = threading.Condition()
        self._held = False
        self._waiting: list[tuple[int, int]] = []
        self._places = itertools.count()
        self._busy_s = 0.0
        #: Since when it is held now.
        self._held_at: float | None = None
        self._turn = 0
        self._mine = threading.local()

    @contextmanager
    def compute(self) -> Iterator[None]:
        """Hold the device while a model runs. Who waits goes by rank, then by when they came."""
        came = time.perf_counter()
        self._acquire()
        started = self._held_at = time.perf_counter()
        self._mine.waited_s = self.waited_s + started - came
        try:
            yield
        finally:
            held_s = time.perf_counter() - started
            self._mine.held_s = self.held_s + held_s
            if (noted := self._noted) is not None:
                noted.append(DeviceTurn(came, started, started + held_s))
            with self._changed:
                self._held, self._held_at = False, None
                self._busy_s += held_s
                self._turn += 1
                self._changed.notify_all()
                # Python would let this thread go on for a while, with the device idle: whoever
                # waits for it takes it first.
                turn = self._turn
                self._changed.wait_for(
                    lambda: self._held or self._turn > turn or not self._waiting, _GIVES_WAY_S
                )

    def _acquire(self) -> None:
        place = (getattr(self._mine, "rank", 0), next(self._places))
        with self._changed:
            heapq.heappush(self._waiting, place)
            try:
                self._changed.wait_for(lambda: not self._held and self._waiting[0] == place)
            except BaseException:
                # Whoever gives up must not block those behind it.
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._changed.notify_all()
                raise
            heapq.heappop(self._waiting)
            self._held = True
            self._changed.notify_all()

    def charge(self, seconds: float) -> None:
        """Count seconds for this thread's batch that another machine computed."""
        self._mine.held_s = self.held_s + seconds

    @contextmanager
    def ranked(self, rank: int) -> Iterator[None]:
        """Let this thread wait for the device behind those of a lower rank; 0 is the usual one."""
        self._mine.rank = rank
        try:
            yield
        finally:
            self._mine.rank = 0

    @contextmanager
    def noting(self) -> Iterator[list[DeviceTurn]]:
        """Note each turn that this thread has."""
        noted: list[DeviceTurn] = []
        self._mine.noted = noted
        try:
            yield noted
        finally:
            self._mine.noted = None

    @property
    def _noted(self) -> list[DeviceTurn] | None:
        noted: list[DeviceTurn] | None = getattr(self._mine, "noted", None)
        return noted

    @property
    def busy(self) -> bool:
        """Whether a model runs now."""
        return self._held

    @property
    def turn(self) -> int:
        """How many times the device has been held and let go."""
        return self._turn

    def wait_for_turn(self, turn: int, timeout_s: float) -> None:
        """Wait until the device has been let go more than `turn` times, or some seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._turn > turn, timeout_s)

    @property
    def busy_s(self) -> float:
        """Seconds that the device has been held in all."""
        return self._busy_s

    @property
    def busy_so_far_s(self) -> float:
        """The same, with the time since it was taken by whoever holds it now."""
        with self._changed:
            held_at = self._held_at
            return self._busy_s + (time.perf_counter() - held_at if held_at is not None else 0.0)

    @property
    def waited_s(self) -> float:
        """Seconds that this thread has waited for the device in all."""
        waited: float = getattr(self._mine, "waited_s", 0.0)
        return waited

    @property
    def held_s(self) -> float:
        """Seconds that this thread has held the device in all."""
        held: float = getattr(self._mine, "held_s", 0.0)
        return held


def unlocked(device: Device) -> Device:
    """The same device with a lock of its own, for what runs while the worker's is held."""
    inner = Device(device.name, asked=device.asked)
    inner.warnings = device.warnings
    return inner
