"""Waiting for jobs: one subscription a process, any number of waiters."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import redis

from ..jobs import AsyncQueue, JobsSettings
from ..jobs.keys import Keys

log = logging.getLogger(__name__)

#: Seconds between two tries to subscribe while Redis is away.
_RETRY_S = 0.5

#: Seconds after which a waiter looks at the record anyway: a message may have been lost.
LOOK_AGAIN_S = 5.0


class Waiters:
    """Wakes whoever waits for a job when it changes.

    A wake is a hint: the record is the truth. So a waiter registers, reads the record, waits, and
    reads again, and every reconnection wakes all.
    """

    def __init__(self, queue: AsyncQueue, settings: JobsSettings) -> None:
        self._redis = queue.redis
        self._channel = Keys(settings.key_prefix).changes
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Subscribe."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def watching(self, job_ids: Collection[str]) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each change of one of the jobs. Clear it before you read."""
        event = asyncio.Event()
        for job_id in job_ids:
            self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            for job_id in job_ids:
                waiting = self._waiting.get(job_id)
                if waiting is not None:
                    waiting.discard(event)
                    if not waiting:
                        del self._waiting[job_id]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (redis.RedisError, OSError) as error:
                log.warning("the change feed broke off (%s); subscribing again", error)
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            self._wake(list(self._waiting))
            while True:
                # The timeout keeps the socket's own from ending a quiet subscription.
                message = await pubsub.get_message(timeout=10)
                if message is not None:
                    lines = message["data"].decode().split("\n")
                    self._wake([line.partition(" ")[2] for line in lines])

    def _wake(self, job_ids: Collection[str]) -> None:
        for job_id in job_ids:
            for event in self._waiting.get(job_id, ()):
                event.set()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for a change, or until it is time to look again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, min(seconds, LOOK_AGAIN_S))):
            await event.wait()
