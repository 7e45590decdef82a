"""The process that holds the model is killed under load: when there is an answer again, and what
failed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from ..load import Request

#: A row as a server wants to be asked.
Ask = Callable[[bytes], Request]

_CLIENTS, _KILL_AFTER_S, _PATIENCE_S = 16, 2.0, 30.0


def measured(url: str, requests: list[Request], victim: Callable[[], int]) -> dict[str, float]:
    """Kill a process under load.

    Answers the seconds until a request that was sent after it is answered (-1: none was), and how
    many requests failed, or were still not answered when the patience was over. Raises RuntimeError
    where nothing is answered before.
    """
    return asyncio.run(_Recovery(requests).measured(url, victim))


class _Recovery:
    """Clients that ask without end, and what became of their requests."""

    def __init__(self, requests: list[Request]) -> None:
        self._requests = requests
        #: Sent, ended, well.
        self._ended: list[tuple[float, float, bool]] = []
        #: When each client sent what it waits for.
        self._sent: dict[int, float] = {}
        #: Set whenever something became of one.
        self._answer = asyncio.Event()

    async def measured(self, url: str, victim: Callable[[], int]) -> dict[str, float]:
        async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE_S) as client:
            tasks = [asyncio.create_task(self._ask(client, n)) for n in range(_CLIENTS)]
            try:
                await self._until(self._is_answering)
                if not self._is_answering():
                    raise RuntimeError(f"nothing was answered in {_PATIENCE_S:.0f} s")
                await asyncio.sleep(_KILL_AFTER_S)
                os.kill(victim(), signal.SIGKILL)
                killed = time.monotonic()
                await self._until(lambda: self._is_over(killed))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        after = [done - killed for sent, done, well in self._ended if well and sent > killed]
        failed = sum(not well for _, _, well in self._ended) + self._left(killed)
        return {"seconds": min(after, default=-1.0), "failed": float(failed)}

    async def _ask(self, client: httpx.AsyncClient, first: int) -> None:
        number = first
        while True:
            request = self._requests[number % len(self._requests)]
            number += _CLIENTS
            sent = self._sent[first] = time.monotonic()
            try:
                answer = await client.post(
                    request.path, content=request.body, headers=dict(request.headers)
                )
                well = answer.status_code == 200
            except httpx.HTTPError:
                well = False
            self._ended.append((sent, time.monotonic(), well))
            self._answer.set()
            if not well:
                await asyncio.sleep(0.05)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, for as long as there is patience."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while not is_so():
                    self._answer.clear()
                    await self._answer.wait()

    def _is_answering(self) -> bool:
        return any(well for _, _, well in self._ended)

    def _is_over(self, killed: float) -> bool:
        """Whether it answers again, and no request from before waits any more."""
        is_well = any(well and sent > killed for sent, _, well in self._ended)
        return is_well and not self._left(killed)

    def _left(self, killed: float) -> int:
        return sum(sent < killed for sent in self._sent.values())


def largest_of_session(session: int) -> int:
    """The process of a session with the most memory: it is the one that holds the model."""
    sizes: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (path / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[3]) == session:
                sizes[int(path.name)] = int(after_name[21])
        except OSError:  # it has ended meanwhile
            continue
    if not sizes:
        raise RuntimeError("its processes have ended")
    return max(sizes, key=sizes.__getitem__)
