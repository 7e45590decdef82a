"""What waits and runs, by model and lane, read a page of groups at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.demand import FIRST_PAGE, GroupDemand, Running, demand_page
from ...jobs.fleet_queue import on_each
from ...jobs.group import Group
from ...jobs.reach import answers_of_present

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

_Groups = dict[Group, GroupDemand]


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
        #: Families whose Redis was away at the last look: nothing is known of what they have.
        self.away: frozenset[str] = frozenset()

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
        found, most = Demand(), 0
        seen, self.away = answers_of_present(await on_each(self._queue, self._pages))
        for groups, workers, pages in seen:
            _add(found, groups, workers)
            most = max(most, pages)
        return found, most

    async def _pages(self, queue: AsyncQueue) -> tuple[_Groups, Mapping[str, Running], int]:
        """What waits by group and what each worker runs, of one Redis, in how many pages."""
        page = await queue.run(demand_page(self._settings))
        workers, groups, pages = page.workers, {each.group: each for each in page.groups}, 1
        while page.following != FIRST_PAGE:
            page = await queue.run(demand_page(self._settings, page.following))
            groups |= {each.group: each for each in page.groups}
            pages += 1
        return groups, workers, pages


def _add(found: Demand, groups: _Groups, workers: Mapping[str, Running]) -> None:
    """Add what one Redis has: a family that moves has jobs on two."""

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
