"""Waiting for jobs: one subscription a process, any number of waiters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

import redis

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.keys import Keys
from ...jobs.read import read_replies
from ...jobs.record import StoredResult
from ...protocol.states import JobState
from ..http.draining import draining
from ..http.ids import uuid7
from .job_changes import JobFeed
from .run_changes import RunFeed

log = logging.getLogger(__name__)

#: Seconds between two tries to subscribe while Redis is away.
_RETRY_S = 0.5

#: Seconds that a subscription may take, and after which a silent one is asked whether it lives. A
#: server that is gone without a word, and with it a half-open socket, never says so.
_SILENT_S = 10.0

#: Seconds after which a waiter looks at the record anyway: a message may have been lost.
LOOK_AGAIN_S = 5.0

_ENDS = frozenset(state.value for state in JobState if state.terminal)


class Watch:
    """What one waiter hears: that a job changed, and to which status as far as is known."""

    def __init__(self, *, every_change: bool) -> None:
        self._every_change = every_change
        self._event = asyncio.Event()
        self._status = ""
        #: The job's response, where it came along.
        self.response: StoredResult | None = None

    def notify(self, status: str) -> None:
        """Wake the waiter; an empty status says that anything may have happened."""
        if self._every_change or not status or status in _ENDS:
            self._status = status
            self._event.set()

    def clear(self) -> None:
        """Forget what was heard. Call it before reading the record."""
        self._status = ""
        self._event.clear()

    async def heard(self, seconds: float) -> str:
        """Wait until something is heard or it is time to look; the status, "" where unknown."""
        # A timer that sets the event costs a fifth of asyncio.timeout, which cancels and catches.
        loop = asyncio.get_running_loop()
        timer = loop.call_later(max(0.0, min(seconds, LOOK_AGAIN_S)), self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        return self._status


class Waiters:
    """Wakes whoever waits for a job when it changes.

    A wake is a hint: the record is the truth. So a waiter registers, reads the record, waits, and
    reads again, and every reconnection wakes all.
    """

    def __init__(self, queue: AsyncQueue, settings: JobsSettings) -> None:
        self._queues = queue.parts
        keys = Keys(settings.key_prefix)
        self._channel, self._run_channel = keys.changes, keys.run_changes.encode()
        self._work_channel = keys.work_came.encode()
        #: Where a job's response is sent to this process, if its `reply_to` says so.
        self.reply_channel = keys.reply(uuid7())
        self._watches: dict[str, set[Watch]] = {}
        #: Whoever watches all jobs.
        self.feed = JobFeed()
        #: Whoever watches runs.
        self.runs = RunFeed()
        #: Whoever watches for work to come, by the family's name.
        self.work = RunFeed()
        self._tasks: list[asyncio.Task[None]] = []
        self._forget_draining: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Subscribe."""
        self._tasks = [asyncio.create_task(self._run(queue)) for queue in self._queues]
        self._forget_draining = draining.then(self._wake_all)

    async def stop(self) -> None:
        """Unsubscribe."""
        self._forget_draining()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def watching(self, job_ids: Collection[str], *, every_change: bool = False) -> Iterator[Watch]:
        """Hear of the jobs' ends, or of every change."""
        watch = Watch(every_change=every_change)
        for job_id in job_ids:
            self._watches.setdefault(job_id, set()).add(watch)
        try:
            yield watch
        finally:
            for job_id in job_ids:
                watches = self._watches.get(job_id)
                if watches is not None:
                    watches.discard(watch)
                    if not watches:
                        del self._watches[job_id]

    async def _run(self, queue: AsyncQueue) -> None:
        listening = True  # until it turns out otherwise: the first failure is news

        def heard() -> None:
            nonlocal listening
            listening = True

        while True:
            try:
                await self._listen(queue, heard)
            except (redis.RedisError, OSError) as error:
                if listening:
                    log.warning("the change feed broke off (%s); subscribing again", error)
                listening = False
                await asyncio.sleep(_RETRY_S)

    async def _listen(self, queue: AsyncQueue, heard: Callable[[], None]) -> None:
        most_s = min(_SILENT_S, queue.timeout_s)
        async with queue.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            async with asyncio.timeout(most_s):
                await pubsub.subscribe(
                    self._channel, self.reply_channel, self._run_channel, self._work_channel
                )
            heard()
            self._wake_all()
            self.feed.tell_of_a_gap()
            self.runs.tell("")
            self.work.tell("")
            heard_at = time.monotonic()
            while True:
                message = await pubsub.get_message(timeout=most_s)
                if message is None:
                    # uvloop's timers go by whole milliseconds, and may end one early: halves, so
                    # that a silence always has had its ping.
                    silent_s = time.monotonic() - heard_at
                    if silent_s >= 1.5 * most_s:
                        raise redis.ConnectionError(f"silent for {silent_s:.0f} s")
                    if silent_s >= 0.5 * most_s:
                        await pubsub.ping()
                    continue
                heard_at = time.monotonic()
                if message["type"] != "pong":
                    self._hear(message["channel"], message["data"])

    def _hear(self, channel: bytes, said: bytes) -> None:
        if channel == self._run_channel:
            self.runs.tell(said.decode())
        elif channel == self._work_channel:
            self.work.tell(said.decode())
        elif not (self._watches or self.feed):
            pass
        elif channel != self._channel.encode():
            self._hand_over(said)
        else:
            changes = list(map(_change, said.decode().split("\n")))
            self._notify(changes)
            if self.feed:
                self.feed.tell(changes)

    def _wake_all(self) -> None:
        self._notify(("", job_id) for job_id in list(self._watches))

    def _hand_over(self, replies: bytes) -> None:
        for job_id, response in read_replies(replies):
            for watch in self._watches.get(job_id, ()):
                watch.response = response
                watch.notify(JobState.SUCCEEDED)

    def _notify(self, changes: Iterable[tuple[str, str]]) -> None:
        for status, job_id in changes:
            for watch in self._watches.get(job_id, ()):
                watch.notify(status)


def _change(line: str) -> tuple[str, str]:
    status, _, job_id = line.partition(" ")
    return status, job_id
