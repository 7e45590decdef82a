"""Looks at what waits and runs: each its own while it is cheap, one for all while it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from wherry.api.core.demand import DemandLooks
from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob
from wherry.jobs.submit import submit

GROUP = Group("text", "embedding", "1")


def job(number: int, group: Group) -> NewJob:
    return NewJob(
        id=f"job-{number}",
        task="embedding",
        group=group,
        payload=b"{}",
        header_length=2,
        fingerprint="f",
        rows=2,
    )


@pytest.mark.parametrize(("tenants", "seen"), [(3, [2, 4]), (1300, [2600, 2600])])
def test_a_dear_look_is_shared_and_a_cheap_one_is_anew(
    redis_url: str, tenants: int, seen: list[int]
) -> None:
    """Rows that a look finds, and the next after one more job."""

    async def rows() -> list[float]:
        queue, settings = AsyncQueue(redis_url), JobsSettings(redis_url=redis_url)
        at_s = 0.0

        def clock() -> float:
            nonlocal at_s
            at_s += 1
            return at_s

        looks = DemandLooks(queue, settings, clock)
        groups = [replace(GROUP, tenant=f"t{number}") for number in range(tenants)]
        if tenants > 3:
            await asyncio.gather(
                *(queue.run(submit(job(n, g), settings)) for n, g in enumerate(groups))
            )
        else:
            await queue.run(submit(job(0, GROUP), settings))
        found = [sum(each.waiting_rows for each in (await looks.read()).values())]
        await queue.run(submit(job(-1, GROUP), settings))
        found.append(sum(each.waiting_rows for each in (await looks.read()).values()))
        at_s += 1000
        found.append(sum(each.waiting_rows for each in (await looks.read()).values()))
        await queue.close()
        return found

    *before, after = asyncio.run(rows())
    assert before == seen
    assert after == seen[0] + 2
