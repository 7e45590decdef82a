"""What waiting for a replica costs a submit: jobs a second and their time, with and without.

`python -m bench.replicas`. A server and its replica stand on this machine, so that the way between
them costs nothing: what is left is what Redis and the API's process do for it.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from tests.support.sentinels import FailingOver

from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob
from wherry.jobs.async_queue import Replicas
from wherry.jobs.submit import submit

#: Turns of each way, and submits of a turn by how many clients at once.
TURNS, SUBMITS, CLIENTS = 5, 4000, (1, 64)

GROUP = Group("text", "sentiment", "1")

_numbers = itertools.count()


async def _turn(queue: AsyncQueue, settings: JobsSettings, clients: int) -> tuple[float, float]:
    """Submits a second, and the median's milliseconds."""
    each, times = SUBMITS // CLIENTS[-1] * (CLIENTS[-1] if clients > 1 else 16), list[float]()

    async def client(count: int) -> None:
        for _ in range(count):
            job = NewJob(
                id=f"job-{next(_numbers)}",
                task="text-classification",
                group=GROUP,
                payload=b"a short text" * 10,
                header_length=12,
                fingerprint="f",
            )
            began = time.perf_counter()
            await queue.run(submit(job, settings))
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(client(each // clients) for _ in range(clients)))
    return len(times) / (time.perf_counter() - began), statistics.median(times) * 1000


async def _measure(url: str) -> None:
    settings = JobsSettings(redis_url=url, max_waiting=10**7)
    plain, waiting = AsyncQueue(url), AsyncQueue(url, replicas=Replicas(1, 1.0))
    for clients in CLIENTS:
        found: dict[str, list[tuple[float, float]]] = {"0": [], "1": []}
        for _ in range(TURNS):
            found["0"].append(await _turn(plain, settings, clients))
            found["1"].append(await _turn(waiting, settings, clients))
        rates = {least: statistics.median(r for r, _ in turns) for least, turns in found.items()}
        times = {least: statistics.median(t for _, t in turns) for least, turns in found.items()}
        print(
            f"{clients} at once: {rates['0']:.0f} submits/s ({times['0']:.2f} ms) without,"
            f" {rates['1']:.0f} ({times['1']:.2f} ms) with a replica:"
            f" {rates['1'] / rates['0']:.2f} of the rate"
        )
    await plain.close()
    await waiting.close()


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder, FailingOver(Path(folder) / "redis") as cluster:
        asyncio.run(_measure(cluster.primary.url))


if __name__ == "__main__":
    main()
