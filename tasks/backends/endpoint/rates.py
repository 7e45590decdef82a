"""As fast as an operator allows: requests and tokens a minute, and what a day may cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

#: Part of a minute's allowance that may be used at once.
_BURST = 1 / 6

_DAY_S = 86_400


class Allowance:
    """So much a minute; what was not used lasts for ten seconds. 0 is without bound."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._clock = per_minute / 60, clock
        self._most = max(1.0, per_minute * _BURST)
        self._left, self._at = self._most, clock()

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
    """What was spent today, by UTC."""

    def __init__(self, prices: Prices, clock: Callable[[], float] = time.time) -> None:
        self._prices, self._clock = prices, clock
        self._day, self.spent = int(clock() // _DAY_S), 0.0

    def add(self, tokens_in: int, tokens_out: int) -> None:
        """Count an answer."""
        self._turn_page()
        self.spent += self._prices.cost(tokens_in, tokens_out)

    @property
    def rest_s(self) -> float:
        """Seconds until more may be spent; 0 while there is some left."""
        self._turn_page()
        if not self._prices.per_day or self.spent < self._prices.per_day:
            return 0.0
        return (self._day + 1) * _DAY_S - self._clock()

    def _turn_page(self) -> None:
        day = int(self._clock() // _DAY_S)
        if day != self._day:
            self._day, self.spent = day, 0.0
