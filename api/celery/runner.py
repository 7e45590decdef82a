"""Who does Celery's part: every API process takes some messages and some ends, each by a lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from ...jobs import AsyncQueue
from ...jobs.call import Call
from ...jobs.celery_tasks import TaskMessage, settle_task, take_tasks
from ...jobs.outage import Outage
from ...jobs.webhooks import Delivery, Outbox, Settled, settle_webhook, take_webhooks
from ...protocol.errors import WherryError
from ..access.book import KeyBook
from ..core.service import Service
from .answers import Ends
from .intake import TaskIntake
from .telling import Teller

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks, and while there was something lately; how long that is.
_LOOK_S, _QUICK_LOOK_S, _LATELY_S = 0.5, 0.03, 10.0

#: Seconds after which another takes what a process took that died; renewed meanwhile.
_LEASE_S = 15.0

#: Seconds after which a message is due again whose end Celery could not be told.
_AGAIN_S = 5.0


class CeleryRunner:
    """Makes jobs of Celery's tasks, and tells Celery of their ends."""

    def __init__(self, service: Service, keys: KeyBook) -> None:
        self._service = service
        self._teller = Teller(service.jobs, service.settings)
        self._intake = TaskIntake(service, keys, self._teller)
        self._ends = Ends(service, self._teller)
        self._busy_at = float("-inf")
        self._runs: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look for messages and ends."""
        if self._service.settings.celery_tasks_at_once:
            self._loops = [
                asyncio.create_task(
                    self._look(self._service.queue, self._take_messages, self._message)
                ),
                # Each of a fleet's Redis servers has the ends of its jobs.
                *(
                    asyncio.create_task(self._look(part, self._take_ends, partial(self._end, part)))
                    for part in self._service.queue.parts
                ),
            ]

    async def stop(self) -> None:
        """Leave what is not done to others."""
        tasks = [*self._loops, *self._runs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._teller.stop()

    async def _look(
        self,
        queue: AsyncQueue,
        take: Callable[[int], Call[list[T]]],
        run: Callable[[T], Coroutine[Any, Any, None]],
    ) -> None:
        runs, outage = set[asyncio.Task[None]](), Outage(log, "Celery's tasks wait")
        while True:
            free = self._service.settings.celery_tasks_at_once - len(runs)
            taken = await self._taken(queue, take(free), outage) if free else []
            for one in taken:
                task = asyncio.create_task(run(one))
                for group in (runs, self._runs):
                    group.add(task)
                    task.add_done_callback(group.discard)
            now = time.monotonic()
            if taken:
                self._busy_at = now
            if not free:
                await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
            elif not taken:
                lately = now - self._busy_at < _LATELY_S
                await asyncio.sleep(_QUICK_LOOK_S if lately else _LOOK_S)

    async def _taken(self, queue: AsyncQueue, call: Call[list[T]], outage: Outage) -> list[T]:
        try:
            taken = await queue.run(call)
        except WherryError as error:
            outage.failed(error.message)
        except Exception:
            log.exception("Celery's tasks wait")  # one look fails, the next may not
        else:
            outage.worked()
            return taken
        await asyncio.sleep(_LOOK_S)
        return []

    def _take_messages(self, count: int) -> Call[list[TaskMessage]]:
        return take_tasks(count, _LEASE_S, self._service.jobs)

    async def _message(self, message: TaskMessage) -> None:
        jobs = self._service.jobs
        due_in_s: float | None = 0.0  # for another, if this is canceled
        try:
            async with self._renewing(lambda: settle_task(message.name, jobs, due_in_s=_LEASE_S)):
                due_in_s = await self._intake.take(message)
        except Exception as error:  # above all, that Celery cannot be told
            due_in_s = _AGAIN_S
            log.warning("a Celery task waits: %s: %s", type(error).__name__, error)
        finally:
            with contextlib.suppress(WherryError):  # Redis is away: the lease runs out
                await self._service.queue.run(settle_task(message.name, jobs, due_in_s=due_in_s))

    def _take_ends(self, count: int) -> Call[list[Delivery]]:
        return take_webhooks(count, _LEASE_S, self._service.jobs, Outbox.CELERY)

    async def _end(self, queue: AsyncQueue, end: Delivery) -> None:
        def renew() -> Call[bool]:
            return settle_webhook(
                end.name,
                Settled.BACK,
                self._service.jobs,
                due_in_s=_LEASE_S,
                outbox=Outbox.CELERY,
            )

        async with self._renewing(renew, queue):
            await self._ends.tell(end, queue)

    @asynccontextmanager
    async def _renewing(
        self, renew: Callable[[], Call[Any]], queue: AsyncQueue | None = None
    ) -> AsyncIterator[None]:
        """Keep a lease while some work goes on."""

        async def go_on() -> None:
            while True:
                await asyncio.sleep(_LEASE_S / 3)
                with contextlib.suppress(WherryError):
                    await (queue or self._service.queue).run(renew())

        renewing = asyncio.create_task(go_on())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
