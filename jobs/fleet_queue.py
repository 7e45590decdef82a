"""One queue over all Redis servers of a fleet: home's, and those that families have of their own.

It runs each step where the step belongs (`reach.py`). A Redis that is away takes only its families
along: it is asked again now and then, and whoever needs it meanwhile is told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..protocol.errors import NotFound, Unavailable
from . import connection
from .async_queue import AsyncQueue, Replicas
from .call import Call, Queue
from .family_redis import by_url
from .reach import Reach, RedisAway
from .settings import JobsSettings

T = TypeVar("T")

#: Seconds between two looks whether a Redis that is away is back.
_LOOK_S = 0.5

#: Seconds that all are waited for where one answer is made of theirs.
_PATIENCE_S = 5.0

#: Jobs of which it is known where they are.
_MOST_KNOWN = 65_536


class FamilyQueue(AsyncQueue):
    """Runs steps on a family's own Redis; refuses at once while that is known to be away."""

    def __init__(self, url: str, families: Sequence[str], replicas: Replicas | None = None) -> None:
        super().__init__(url, replicas=replicas)
        self.families = tuple(families)
        #: Seconds that it is waited for where one answer is made of all.
        self.patience_s = _PATIENCE_S + (replicas.timeout_s if replicas else 0.0)
        #: Who waits for what another server will take over does so here, as at home.
        self._patient = connection.fails_over(url)
        self._looking: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The families that live there."""
        return "+".join(self.families)

    @property
    def away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._looking is not None and not self._looking.done()

    async def run(self, call: Call[T]) -> T:
        """Run one step. Raises RedisAway."""
        if self.away and not self._patient:
            raise RedisAway(self.families)
        try:
            return await super().run(call)
        except Unavailable as error:
            if type(error) is not Unavailable:  # it answers, and says why not
                raise
            self.lost()
            raise RedisAway(self.families) from error

    def lost(self) -> None:
        """Take note that it does not answer, and look until it does."""
        if not self.away:
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            with contextlib.suppress(Exception):  # whatever it is, it is not back
                async with asyncio.timeout(_PATIENCE_S):
                    await super().run(Call([("PING",)], parse=bool))
                return

    async def close(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await super().close()


class FleetQueue(AsyncQueue):
    """Home's queue, which knows the others: each step is run where it belongs."""

    def __init__(self, settings: JobsSettings, replicas: Replicas | None = None) -> None:
        super().__init__(settings.redis_url, replicas=replicas)
        self._home = AsyncQueue(settings.redis_url, replicas=replicas)
        own = [
            FamilyQueue(url, names, replicas) for url, names in by_url(settings.own_redis).items()
        ]
        self.parts = (self._home, *own)
        self._of = {family: queue for queue in own for family in queue.families}
        self._known: OrderedDict[str, AsyncQueue] = OrderedDict()

    @property
    def away_families(self) -> frozenset[str]:
        """Families whose own Redis is known to be away."""
        return frozenset(family for family, queue in self._of.items() if queue.away)

    def part_of(self, family: str) -> AsyncQueue:
        """The Redis of a family."""
        return self._of.get(family, self._home)

    def holder(self, family: str) -> str:
        """What the Redis of a family is called among those of the fleet; "home" for home."""
        return self.part_of(family).name

    async def run(self, call: Call[T]) -> T:
        """Run one step where it belongs."""
        reach = call.reach
        if reach.merge is not None:
            return await self._run_on_all(call, reach)
        queue = self._of.get(reach.family, self._home)
        answer = await queue.run(call)
        self._learn(reach.job_ids, queue)
        return answer

    async def _run_on_all(self, call: Call[T], reach: Reach[T]) -> T:
        assert reach.merge is not None
        likely = self._likely(reach.job_ids)
        if likely is not None:
            # Alone, as a step of its family: nobody else is held up while another takes over.
            with contextlib.suppress(NotFound, RedisAway):
                answer = await likely.run(call)
                if not reach.is_missing(answer):
                    return answer
        answers = await on_each(self, lambda one: one.run(call))
        merged = reach.merge(answers)
        if len(reach.job_ids) == 1:
            has = [
                queue
                for queue, answer in zip(self.parts, answers, strict=True)
                if not isinstance(answer, Exception) and not reach.is_missing(answer)
            ]
            self._learn(reach.job_ids, has[0] if has else None)
        return merged

    def _likely(self, job_ids: Sequence[str]) -> AsyncQueue | None:
        """The Redis that is known to have all of these jobs."""
        if not job_ids or (first := self._known.get(job_ids[0])) is None:
            return None
        return first if all(self._known.get(job_id) is first for job_id in job_ids) else None

    def _learn(self, job_ids: Sequence[str], queue: AsyncQueue | None) -> None:
        if queue is None:
            return
        for job_id in job_ids:
            self._known[job_id] = queue
            self._known.move_to_end(job_id)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def close(self) -> None:
        """Close the connections."""
        for queue in self.parts:
            await queue.close()
        await super().close()


async def on_each(
    queue: AsyncQueue,
    work: Callable[[AsyncQueue], Awaitable[T]],
    *,
    patience_s: float | None = None,
) -> list[T | Exception]:
    """Do some work on each Redis of a fleet, home first. An answer may be an exception.

    One that is not there in `patience_s` is RedisAway for this work; one that is not in its own
    patience, for all from then on.
    """
    return await asyncio.gather(*(_answer(one, work, patience_s) for one in queue.parts))


async def _answer(
    queue: AsyncQueue, work: Callable[[AsyncQueue], Awaitable[T]], patience_s: float | None
) -> T | Exception:
    """What a Redis answers; an exception, too, and that of one that is slow."""
    if not isinstance(queue, FamilyQueue):
        try:
            return await work(queue)
        except Exception as error:
            return error
    if queue.away:  # what others ask is not held up by it
        return RedisAway(queue.families)
    try:
        async with asyncio.timeout(queue.patience_s if patience_s is None else patience_s):
            return await work(queue)
    except TimeoutError:
        if patience_s is None:
            queue.lost()
        return RedisAway(queue.families)
    except Exception as error:
        return error


class BlockingFleetQueue(Queue):
    """The same for threads, one Redis after another: for tools, sweeps and runs."""

    def __init__(self, settings: JobsSettings) -> None:
        super().__init__(settings.redis_url)
        self._home = Queue(settings.redis_url)
        self._own = {families: Queue(url) for url, families in by_url(settings.own_redis).items()}
        self.parts = (self._home, *self._own.values())
        self._of = {family: queue for names, queue in self._own.items() for family in names}

    def run(self, call: Call[T]) -> T:
        """Run one step where it belongs."""
        merge, own = call.reach.merge, self._of.get(call.reach.family)
        if merge is None:
            return (own or self._home).run(call)
        answers: list[T | Exception] = []
        try:
            answers.append(self._home.run(call))
        except Exception as error:
            answers.append(error)
        for families, queue in self._own.items():
            try:
                answers.append(queue.run(call))
            except Unavailable as error:
                answers.append(RedisAway(families) if type(error) is Unavailable else error)
            except Exception as error:
                answers.append(error)
        merged: T = merge(answers)
        return merged

    def close(self) -> None:
        """Close the connections."""
        for queue in self.parts:
            queue.close()
        super().close()


def open_async(settings: JobsSettings, replicas: Replicas | None = None) -> AsyncQueue:
    """The queue of a whole fleet."""
    if settings.own_redis:
        return FleetQueue(settings, replicas)
    return AsyncQueue(settings.redis_url, replicas=replicas)


def open_blocking(settings: JobsSettings) -> Queue:
    """The same for threads."""
    return BlockingFleetQueue(settings) if settings.own_redis else Queue(settings.redis_url)
