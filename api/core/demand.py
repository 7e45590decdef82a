"""What waits and runs, by model and lane, read a page of groups at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.demand import FIRST_PAGE, demand_page
from ...jobs.group import Group

#: Pages from which on a look is shared by all who ask for so many times as long as it took.
_MANY_PAGES, _GOOD_FOR = 10, 10.0


@dataclass(slots=True)
class ModelDemand:
    """What waits and runs of one model in one lane."""

    waiting: int = 0
    waiting_rows: float = 0.0
    running: float = 0.0
    running_rows: float = 0.0
    oldest_s: float = 0.0
    device_s_per_s: float = 0.0


#: By model, for which a group stands, and whether it is the bulk lane.
Demand = dict[tuple[Group, bool], ModelDemand]


class DemandLooks:
    """Reads it. With thousands of groups a look is dear, and may be some seconds old."""

    def __init__(
        self,
        queue: AsyncQueue,
        settings: JobsSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._settings, self._clock = queue, settings, clock
        self._last, self._good_until_s = Demand(), 0.0
        self._looking = asyncio.Lock()

    async def read(self) -> Demand:
        """What there is now, or was a moment ago. Raises Unavailable."""
        async with self._looking:
            if self._clock() >= self._good_until_s:
                began_s = self._clock()
                self._last, pages = await self._look()
                ended_s = self._clock()
                is_dear = pages >= _MANY_PAGES
                self._good_until_s = ended_s + is_dear * _GOOD_FOR * (ended_s - began_s)
            return self._last

    async def _look(self) -> tuple[Demand, int]:
        page = await self._queue.run(demand_page(self._settings))
        workers, groups, pages = page.workers, {each.group: each for each in page.groups}, 1
        while page.following != FIRST_PAGE:
            page = await self._queue.run(demand_page(self._settings, page.following))
            groups |= {each.group: each for each in page.groups}
            pages += 1
        found = Demand()

        def of(group: Group) -> ModelDemand:
            key = Group(group.family, group.model, group.version), group.is_bulk
            return found.setdefault(key, ModelDemand())

        for group, seen in groups.items():
            each = of(group)
            each.waiting += seen.waiting
            each.waiting_rows += seen.waiting_rows
            each.oldest_s = max(each.oldest_s, seen.oldest_s)
            each.device_s_per_s += seen.device_s_per_s
        for runs in workers.values():
            sampled = sum(jobs for jobs, _ in runs.rows.values())
            for group, (jobs, rows) in runs.rows.items():
                each = of(group)
                each.running += runs.jobs * jobs / sampled
                each.running_rows += runs.jobs * rows / sampled
        return found, pages
