"""Steps over asyncio: those that meet share a round trip."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..protocol import errors
from ..telemetry.calls import redis_called
from . import connection
from .call import PAUSE_S, Call, demotion, is_away, missing_script, replicated, translate

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Redis commands that one round trip carries at most; more wait for the next.
_MAX_PIPELINE = 256

#: Seconds in which a server that replicas have left is told that it is no primary any more, and
#: those of the next one have come. A step that lacks them is sent again until then.
_TURN_S = 5.0

#: Verbs by which the API takes something over: what it then answers is a promise.
_PROMISES = frozenset(
    {
        "batch_cancel",
        "batch_create",
        "cancel",
        "celery_revoke",
        "file_put",
        "hold",
        "requeue",
        "run_command",
        "run_create",
        "run_export",
        "submit",
        "webhook_retry",
    }
)


class Replicas(NamedTuple):
    """How many replicas must have what was promised, and how long they may take."""

    least: int
    timeout_s: float


@dataclass(slots=True)
class _Waiting(Generic[T]):
    call: Call[T]
    future: asyncio.Future[T]
    since: float
    #: Whether a server that is no primary any more has answered it.
    turned: bool = False
    #: What it did when it was sent first, where replicas lacked that: it may be found done then.
    done: T | None = None


class AsyncQueue:
    """Runs steps over an asyncio connection; steps that meet share a round trip.

    With `replicas`, those that promise something go over a connection of their own, and are
    answered once so many have it: NotReplicated otherwise.
    """

    def __init__(
        self,
        url: str,
        *,
        socket_timeout_s: float | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self.redis = connection.connect_async(url)
        #: This one alone: families that have their own are a FleetQueue's.
        self.parts: tuple[AsyncQueue, ...] = (self,)
        timeout_s = connection.timeout_s(url) if socket_timeout_s is None else socket_timeout_s
        #: Seconds without a reply after which the server counts as gone.
        self.timeout_s = timeout_s
        patience_s = connection.patience_s(url)
        self._plain = _RoundTrips(self.redis, timeout_s, patience_s)
        self._promising = self._plain
        if replicas and replicas.least:
            self._promising = _RoundTrips(self.redis, timeout_s, patience_s, replicas)

    @property
    def name(self) -> str:
        """What this Redis is called among those of its fleet."""
        return "home"

    @property
    def away_families(self) -> frozenset[str]:
        """Families whose own Redis is known to be away."""
        return frozenset()

    async def run(self, call: Call[T]) -> T:
        """Run one step. Raises our errors, never a half-done step."""
        promises = call.script is not None and call.script.name in _PROMISES
        return await (self._promising if promises else self._plain).run(call)

    async def close(self) -> None:
        """Close the connections."""
        await self._plain.close()
        await self._promising.close()
        await connection.close_async(self.redis)


class _RoundTrips:
    """One round trip after the other, each with what has come meanwhile."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        timeout_s: float,
        patience_s: float,
        replicas: Replicas | None = None,
    ) -> None:
        self._redis, self._replicas = client, replicas
        self._patience_s = patience_s
        self._timeout_s = timeout_s + (replicas.timeout_s if replicas else 0.0)
        self._pending: list[_Waiting[Any]] = []
        self._sender: asyncio.Task[None] | None = None

    async def run(self, call: Call[T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append(_Waiting(call, future, time.monotonic()))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_pending())
        return await future

    async def close(self) -> None:
        if self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender])

    async def _send_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[:_MAX_PIPELINE], self._pending[_MAX_PIPELINE:]
            batch, answers = await self._answered(batch)
            if any(isinstance(answer, errors.NotReplicated) for answer in answers):
                await self._connect_anew()  # the sentinels may know of another by now
            for each, answer in zip(batch, answers, strict=True):
                if each.future.done():  # its caller went away
                    continue
                if isinstance(answer, errors.NotReplicated) and self._may_turn(each):
                    self._pending.append(each)
                elif isinstance(answer, Exception):
                    each.future.set_exception(answer)
                else:
                    each.future.set_result(answer)

    async def _answered(
        self, batch: list[_Waiting[Any]]
    ) -> tuple[list[_Waiting[Any]], Sequence[Any]]:
        """Steps with their answers; those that are to be tried again are not among them."""
        try:
            return batch, await self._round_trip(batch)
        except redis.RedisError as error:
            over = await self._patient_with(error, batch)
            return over, [translate(error)] * len(over)
        except Exception as error:  # their callers would hear of no more than an end
            log.exception("a round trip to Redis broke off")
            return batch, [error] * len(batch)
        except BaseException:
            for each in batch:
                each.future.cancel()
            raise

    def _may_turn(self, each: _Waiting[Any]) -> bool:
        """Whether a primary without its replicas may yet turn out to be one no more."""
        return self._patience_s > 0 and each.since > time.monotonic() - _TURN_S

    async def _patient_with(
        self, error: redis.RedisError, batch: list[_Waiting[Any]]
    ) -> list[_Waiting[Any]]:
        """Those of a broken round trip for which it is over; the others are tried again."""
        if not is_away(error):
            return batch
        since, demoted = time.monotonic() - self._patience_s, isinstance(error, ReadOnlyError)
        over, again = list[_Waiting[Any]](), list[_Waiting[Any]]()
        for each in batch:
            if each.future.done():
                continue
            # One that was the primary: whoever is now may be behind the same address.
            more = each.since > since or (demoted and not each.turned)
            each.turned |= demoted
            (again if more else over).append(each)
        self._pending = again + self._pending
        await self._connect_anew()
        if again:
            await asyncio.sleep(PAUSE_S)
        return over

    async def _connect_anew(self) -> None:
        """Let go of connections. One that does not close in time is no reason to answer nobody."""
        with contextlib.suppress(redis.RedisError, OSError):
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    async def _round_trip(self, batch: Sequence[_Waiting[Any]]) -> list[Any]:
        answers: list[Any] = [None] * len(batch)
        todo = list(range(len(batch)))
        for _ in range(2):
            replies, has_it = await self._send([batch[index].call for index in todo])
            missing = []
            for index, reply in zip(todo, replies, strict=True):
                answers[index] = self._answer(batch[index], reply, has_it)
                if missing_script(reply):
                    missing.append(index)
            if not missing:
                break
            for text in {script.text for i in missing if (script := batch[i].call.script)}:
                await self._redis.script_load(text)
            todo = missing
        return answers

    def _answer(self, each: _Waiting[Any], reply: Sequence[Any], has_it: int) -> Any:
        """What is said of a step. One that was sent before is not told that it was done before."""
        answer = each.call.read(reply)
        if each.done and (not answer or isinstance(answer, errors.Conflict)):
            answer = each.done
        lacking = None if isinstance(answer, Exception) else self._lacking(has_it)
        if lacking:
            each.done = answer
        return lacking or answer

    def _lacking(self, has_it: int) -> errors.NotReplicated | None:
        if self._replicas is None or has_it >= self._replicas.least:
            return None
        return errors.NotReplicated(
            f"taken, but {has_it} of {self._replicas.least} replicas had it after "
            f"{self._replicas.timeout_s:g} s: it may be done, or be lost if Redis fails over now; "
            "send it again under the same id"
        )

    async def _send(self, calls: Sequence[Call[Any]]) -> tuple[list[list[Any]], int]:
        """Replies to each call, and how many replicas have all of it, if that is asked for."""
        began, ok = time.perf_counter(), False
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._redis.pipeline(transaction=False) as pipe,
            ):
                for call in calls:
                    call.queue_on(pipe)
                if self._replicas:
                    for command in replicated(*self._replicas):
                        pipe.execute_command(*command)
                replies = await pipe.execute(raise_on_error=False)
            ok = True
        except TimeoutError as error:
            raise RedisTimeoutError(f"no reply in {self._timeout_s} s") from error
        finally:
            redis_called(began, ok=ok)
        if demoted := demotion(replies):
            raise demoted
        has_it = 0
        if self._replicas:
            *replies, marked, has_it = replies
            for reply in (marked, has_it):
                if isinstance(reply, redis.RedisError):
                    raise reply
        left = iter(replies)
        return [[next(left) for _ in call.commands] for call in calls], has_it
