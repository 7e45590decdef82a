"""The process that holds the model is killed under load: when there is an answer again, and what
failed meanwhile.
"""

from __future__ import annotations

import asyncio
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
    many requests failed.
    """
    return asyncio.run(_measured(url, requests, victim))


async def _measured(
    url: str, requests: list[Request], victim: Callable[[], int]
) -> dict[str, float]:
    ended: list[tuple[float, float, bool]] = []  # sent, ended, well
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE_S) as client:

        async def ask(first: int) -> None:
            number = first
            while not over.is_set():
                request = requests[number % len(requests)]
                number += _CLIENTS
                sent = time.monotonic()
                try:
                    answer = await client.post(
                        request.path, content=request.body, headers=dict(request.headers)
                    )
                    well = answer.status_code == 200
                except httpx.HTTPError:
                    well = False
                ended.append((sent, time.monotonic(), well))
                if not well:
                    await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(ask(n)) for n in range(_CLIENTS)]
        await asyncio.sleep(_KILL_AFTER_S)
        os.kill(victim(), signal.SIGKILL)
        killed = time.monotonic()
        while time.monotonic() - killed < _PATIENCE_S:
            await asyncio.sleep(0.1)
            if any(well and sent > killed for sent, _, well in ended):
                break
        await asyncio.sleep(1)
        over.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    after = [done - killed for sent, done, well in ended if well and sent > killed]
    failed = sum(not well for _, _, well in ended)
    return {"seconds": min(after, default=-1.0), "failed": float(failed)}


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
    return max(sizes, key=sizes.__getitem__)
