"""As fast as an operator allows: requests and tokens a minute, and what a day may cost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Part of a minute's allowance that may be used at once.
_BURST = 1 / 6

_DAY_S = 86_400


class Allowance:
    """So much a minute; what was not used lasts for ten seconds. 0 is without bound."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self.share(1)
        self._left, self._at = self._most, clock()

    def share(self, among: int) -> None:
        """Take only one part of it: others take as many."""
        per_minute = self._per_minute / max(1, among)
        self._per_s, self._most = per_minute / 60, max(1.0, per_minute * _BURST)

    def take(self, amount: float) -> float:
        """Take some, or answer the seconds until that can be had. More than there can ever be is
        had when all is there, and owed.
        """
        if not self._per_s:
            return 0.0
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        lacks = min(amount, self._most) - self._left
        if lacks > 1e-9:
            return lacks / self._per_s
        self._left -= amount
        return 0.0

    def settle(self, amount: float) -> None:
        """It was so much more than was taken, or less."""
        if self._per_s:
            self._left -= amount


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, in whatever money; and how much of it a day may cost."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0
    per_day: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """What an answer cost."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


class Spending:
    """What was spent today, by UTC, by this worker and as far as it is told by the others."""

    def __init__(self, prices: Prices, clock: Callable[[], float] = time.time) -> None:
        self._prices, self._clock = prices, clock
        self._lock = threading.Lock()
        self._day = int(clock() // _DAY_S)
        #: As it was told last, and what has come since.
        self._known, self._since = 0.0, 0.0

    def add(self, tokens_in: int, tokens_out: int) -> None:
        """Count an answer."""
        with self._lock:
            self._turn_page()
            self._since += self._prices.cost(tokens_in, tokens_out)

    @property
    def spent(self) -> float:
        """So far."""
        with self._lock:
            self._turn_page()
            return self._known + self._since

    @property
    def rest_s(self) -> float:
        """Seconds until more may be spent; 0 while there is some left."""
        if not self._prices.per_day or self.spent < self._prices.per_day:
            return 0.0
        return (self._day + 1) * _DAY_S - self._clock()

    def settle(self, told: Callable[[int, float], float]) -> None:
        """Tell somebody of what came since the last time, by the day, who answers what all have
        spent on it. What is raised leaves everything as it was.
        """
        if not self._prices.per_million_in and not self._prices.per_million_out:
            return
        with self._lock:
            self._turn_page()
            day, since = self._day, self._since
        known = told(day, since)
        with self._lock:
            self._turn_page()
            if day == self._day:
                self._known, self._since = known, self._since - since

    def _turn_page(self) -> None:
        day = int(self._clock() // _DAY_S)
        if day != self._day:
            self._day, self._known, self._since = day, 0.0, 0.0


@dataclass(slots=True)
class Limits:
    """What an operator allows of one endpoint."""

    requests: Allowance
    tokens: Allowance
    spending: Spending

    async def taken(self, tokens: int) -> None:
        """Take a request of so many tokens, as soon as that can be had."""
        for allowance, amount in ((self.requests, 1), (self.tokens, tokens)):
            while rest_s := allowance.take(amount):  # noqa: ASYNC110 # time is what it waits for
                await asyncio.sleep(rest_s)

    def give_back(self, tokens: int) -> None:
        """It was not sent after all."""
        self.requests.settle(-1)
        self.tokens.settle(-tokens)
