"""A failover that the primary takes part in loses nothing that one replica has."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from wherry.jobs import AsyncQueue, JobsSettings, NewJob
from wherry.jobs.async_queue import Replicas
from wherry.jobs.hand_over import hand_over
from wherry.jobs.read import read
from wherry.jobs.submit import submit

from ..support.sentinels import FailingOver
from ..support.waiting import until

#: Failovers, clients that submit meanwhile, and jobs that are read in one step.
TIMES, CLIENTS, PAGE = 3, 4, 500


def _hand_over(cluster: FailingOver) -> None:
    """As `wherry failover` does."""
    before = cluster.primary
    done = hand_over(cluster.url)
    assert (done.following, done.replicas) == (2, 2)
    assert cluster.promoted(before).port == int(done.after.rpartition(":")[2])


@pytest.mark.slow
def test_what_one_replica_has_outlives_coordinated_failovers(
    tmp_path: Path, new_job: Callable[..., NewJob]
) -> None:
    """Where sentinels are not hasty: those that ask once a second, of a primary that is down after
    one, take the next for dead now and then, and promote another that lacks what it took.
    """
    numbers, kept = itertools.count(), list[str]()

    async def play(cluster: FailingOver) -> None:
        settings, over = JobsSettings(redis_url=cluster.url), asyncio.Event()

        async def submit_jobs(queue: AsyncQueue) -> None:
            while not over.is_set():
                job = new_job(id=f"handed-over-{next(numbers)}")
                kept.append((await queue.run(submit(job, settings))).id)

        queue = AsyncQueue(cluster.url, socket_timeout_s=1.0, replicas=Replicas(1, 1.0))
        try:
            clients = [asyncio.create_task(submit_jobs(queue)) for _ in range(CLIENTS)]
            await asyncio.to_thread(_hand_over, cluster)
            known = len(kept)
            await asyncio.to_thread(until, lambda: len(kept) > known)
            over.set()
            await asyncio.gather(*clients)
            for first in range(0, len(kept), PAGE):
                assert None not in await queue.run(read(kept[first : first + PAGE], settings))
        finally:
            await queue.close()

    with FailingOver(tmp_path / "cluster", replicas=2, down_after_ms=3000) as cluster:
        for _ in range(TIMES):
            asyncio.run(play(cluster))
            until(cluster.in_step)
