"""How many requests an endpoint is sent at once: found by trying, and halved where it objects."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

#: Requests at once to begin with.
_FIRST = 4

#: A wider window must answer so many times as much to be kept.
_WORTH = 1.05

#: Answers by which a width is judged, at least: two a place, and no less than this.
_LEAST_ANSWERS = 8

#: Rounds of a width that proved right before a wider one is tried again.
_REST = 10

#: And after a cut: a server that objects now and then bears more the rest of the time.
_REST_AFTER_A_CUT = 1


class RequestWindow:
    """Bounds what is under way. One event loop uses it.

    Each width is judged by a round of answers while others waited. As long as a wider one answers
    more, it grows by half; else it goes back, and tries again some rounds later. Where the server
    objects it is halved, once for all requests that were under way by then.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = max(1, most), clock
        self.width = min(_FIRST, self._most)
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        #: The width that is known to do, while a wider one is tried; and how much that answered.
        self._known: int | None = None
        self._rate = 0.0
        self._rest = 0
        self._cuts = 0
        self._begin_round()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[int]:
        """Wait for a place, first come first served. Answers what `slow_down` wants to know."""
        if self.under_way >= self.width or self._waiting:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            self._wake()
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():  # it came at the same moment
                    self.under_way -= 1
                    self._wake()
                else:
                    self._waiting.remove(mine)
                raise
        else:
            self.under_way += 1
        try:
            yield self._cuts
        finally:
            self.under_way -= 1
            self._wake()

    def _wake(self) -> None:
        while self._waiting and self.under_way < self.width:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.under_way += 1
                waiter.set_result(None)

    def answered(self) -> None:
        """Count an answer; a round that is over judges the width."""
        self._answers += 1
        self._was_full &= bool(self._waiting) or self.under_way >= self.width
        if self._answers < max(2 * self.width, _LEAST_ANSWERS):
            return
        took_s = self._clock() - self._began_at
        if self._was_full and took_s > 0:
            self._judge(self._answers / took_s)
        self._begin_round()

    def _judge(self, rate: float) -> None:
        if self._known is not None and rate < _WORTH * self._rate:
            self._set(self._known)
            self._known, self._rest = None, _REST
            return
        self._rate = rate
        if self._rest:
            self._rest -= 1
        elif self.width < self._most:
            self._known = self.width
            self._set(min(self._most, max(self.width + 1, self.width * 3 // 2)))
        else:
            self._known = None

    def slow_down(self, begun: int, rest_s: float = 0.0) -> None:
        """Halve it, unless that was done since the request began that was told so.

        For `rest_s` nothing will be asked: that time says nothing of a width.
        """
        if begun != self._cuts:
            return
        self._cuts += 1
        self._known, self._rest = None, _REST_AFTER_A_CUT
        self._set(max(1, self.width // 2))
        self._begin_round()
        self._began_at += rest_s

    def begin_anew(self) -> None:
        """Be as at first: the server was away, and may be another now."""
        self._cuts += 1
        self._known, self._rest = None, 0
        self._set(min(_FIRST, self._most))
        self._begin_round()

    def _set(self, width: int) -> None:
        self.width = width
        self._wake()

    def _begin_round(self) -> None:
        self._answers, self._was_full, self._began_at = 0, True, self._clock()
