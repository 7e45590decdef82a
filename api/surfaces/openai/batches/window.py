"""The lines of a batch that are under way: bounded in number and bytes, answered in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from .answers import LineResponse
from .lines import Line, LineRequest

#: Bytes of requests under way, at most; one always goes.
_MAX_BYTES = 32 * 1024 * 1024


class Flight(NamedTuple):
    """A line under way."""

    line: Line
    asked: LineRequest
    task: asyncio.Task[LineResponse]


class LineWindow:
    """Lines under way, the oldest first."""

    def __init__(
        self, size: int, answer: Callable[[Line, LineRequest], Coroutine[Any, Any, LineResponse]]
    ) -> None:
        self._size, self._answer = size, answer
        self._flights: deque[Flight] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._flights)

    def fits(self, line: Line) -> bool:
        """Whether a line may start."""
        if len(self._flights) >= self._size:
            return False
        return not self._flights or self._bytes + len(line.text) <= _MAX_BYTES

    def start(self, line: Line, asked: LineRequest) -> None:
        """Start a line."""
        task = asyncio.create_task(self._answer(line, asked))
        self._flights.append(Flight(line, asked, task))
        self._bytes += len(line.text)

    @property
    def oldest(self) -> Flight:
        """The line whose answer comes next."""
        return self._flights[0]

    def pop(self) -> Flight:
        """Take the oldest out."""
        flight = self._flights.popleft()
        self._bytes -= len(flight.line.text)
        return flight

    async def close(self) -> None:
        """End what is under way; its jobs go on."""
        tasks = [flight.task for flight in self._flights]
        self._flights.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
