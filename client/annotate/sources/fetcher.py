"""What asks web servers for files, from any thread, with patience where time may help."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, BinaryIO, TypeVar

import httpx

from ....protocol.errors import RowError, Unavailable
from ....tasks.egress.allowed import BrokenAnswer, NoAnswer, NoConnection, OutboundError
from ....tasks.egress.fetch import BadStatus, FetchBudget, FetchLimits, Requests, fetch
from ....tasks.egress.kept import KeptConnections
from ....tasks.egress.ranges import ServedFile, copy, fetch_range, look_at

T = TypeVar("T")

_sleep = time.sleep

#: Seconds between tries of what may be better later, as for buckets.
_PAUSES_S = (1.0, 5.0, 15.0)

#: Seconds that a server may ask for by Retry-After; one that wants more is not waited for.
_MOST_PAUSE_S = 120.0

#: Statuses that may be others later.
_LATER = (408, 425, 429, 500, 502, 503, 504)

#: Seconds that a host which has answered is waited for once it is away, and seconds after which one
#: that never did is given all its tries again.
_PATIENCE_S, _DEAD_S = 600.0, 60.0

#: Hosts that are known at a time.
_MOST_HOSTS = 65_536

#: Bytes of a file at most that a server serves only as a whole.
_MOST_COPIED = 16 * 1024**3


class KnownHosts:
    """Which hosts have answered this process, and since when others do not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._answered: set[str] = set()
        self._away: dict[str, float] = {}

    def answers(self, host: str) -> None:
        """Note that a host has answered."""
        with self._lock:
            if len(self._answered) >= _MOST_HOSTS:
                self._answered.clear()
            self._answered.add(host)
            self._away.pop(host, None)

    def has_answered(self, host: str) -> bool:
        """Whether a host has answered this process."""
        with self._lock:
            return host in self._answered

    def is_away(self, host: str) -> bool:
        """Note that a host is not there, after all tries; whether to wait for it."""
        with self._lock:
            if len(self._away) >= _MOST_HOSTS:
                self._away.clear()
            since = self._away.setdefault(host, self._clock())
            if host in self._answered:
                if self._clock() - since < _PATIENCE_S:
                    return True
                self._answered.discard(host)
            self._away[host] = self._clock()
            return False

    def is_dead(self, host: str) -> bool:
        """Whether one try is enough: it was not there a moment ago, and never before."""
        with self._lock:
            since = self._away.get(host)
            known = host in self._answered
            return since is not None and not known and self._clock() - since < _DEAD_S


_HOSTS = KnownHosts()


class Fetcher:
    """Asks for files through a guard."""

    def __init__(self, guard: Requests, limits: FetchLimits, hosts: KnownHosts = _HOSTS) -> None:
        self._guard, self._limits, self._hosts = guard, limits, hosts

    def row(self, url: str) -> bytes:
        """A row's file. Raises RowError for whatever is wrong with this URL, Unavailable for a host
        that was there and is not.
        """
        limits = self._limits
        budget = FetchBudget(limits.max_bytes + 1)  # a file alone: its own limit is the less
        return self._tried(url, lambda: fetch(self._guard, url, limits, budget), is_row=True)

    def look(self, url: str) -> ServedFile:
        """What a server tells of a file. Raises RowError, Unavailable for a host that is away."""
        return self._tried(url, lambda: look_at(self._guard, url, self._limits), is_row=False)

    def range(self, url: str, served: ServedFile, first: int, size: int) -> bytes:
        """So many bytes of a file. Raises RowError, Unavailable."""

        def ask() -> Coroutine[Any, Any, bytes]:
            return fetch_range(self._guard, url, self._limits, served, first, size)

        return self._tried(url, ask, is_row=False)

    def copy(self, url: str, to: BinaryIO) -> None:
        """A whole file, to one on this machine. Raises RowError, Unavailable."""

        def write(data: bytes) -> None:
            if to.tell() + len(data) > _MOST_COPIED:
                raise OutboundError(
                    f"the file is over {_MOST_COPIED} bytes, and served as one only"
                )
            to.write(data)

        def ask() -> Coroutine[Any, Any, None]:
            to.seek(0)
            to.truncate()
            return copy(self._guard, url, self._limits, write)

        self._tried(url, ask, is_row=False)

    def _tried(self, url: str, ask: Callable[[], Coroutine[Any, Any, T]], *, is_row: bool) -> T:
        host = _host(url)
        # What never answered is better told at once: rows alone are given all tries.
        is_once = self._hosts.is_dead(host) if is_row else not self._hosts.has_answered(host)
        pauses_s = iter(() if is_once else _PAUSES_S)
        while True:
            try:
                given = waited(ask())
            except (NoConnection, NoAnswer, BrokenAnswer, BadStatus) as error:
                failure: OutboundError = error
            except OutboundError as error:
                raise RowError(str(error)) from None
            else:
                self._hosts.answers(host)
                return given
            wait_s = 0.0
            if isinstance(failure, BadStatus):
                self._hosts.answers(host)
                wait_s = failure.retry_after_s
                if failure.status not in _LATER or wait_s > _MOST_PAUSE_S:
                    raise RowError(_words(failure))
            pause_s = next(pauses_s, None)
            if pause_s is None:
                raise self._given_up(host, failure, is_row=is_row) from failure
            _sleep(max(pause_s, wait_s))

    def _given_up(
        self, host: str, failure: OutboundError, *, is_row: bool
    ) -> RowError | Unavailable:
        # What connects and then says nothing is this URL's fault: others there are answered.
        is_away = isinstance(failure, NoConnection) and self._hosts.is_away(host)
        if is_away or not (is_row or isinstance(failure, BadStatus)):
            return Unavailable(_words(failure))
        return RowError(_words(failure))


def _words(failure: OutboundError) -> str:
    if isinstance(failure, BadStatus) and failure.status in (404, 410):
        return f"{failure}: there is no such file"
    return str(failure)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).netloc.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        return ""


def waited(work: Coroutine[Any, Any, T]) -> T:
    """What comes of work on the loop of this process."""
    return asyncio.run_coroutine_threadsafe(work, _ONCE.loop()).result()


class _Once:
    """What all fetching of this process shares: connections belong to one loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.connections = KeptConnections()

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, in a thread of its own."""
        with self._lock:  # the first who ask may be several threads
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="annotate-fetch", daemon=True
                ).start()
            return self._loop


_ONCE = _Once()


def connections() -> KeptConnections:
    """This process's connections, whoever's guard they serve."""
    return _ONCE.connections
