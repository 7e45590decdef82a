"""How a verb reaches Redis: built once as plain data, run by a sync or an async connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from ..protocol import errors
from ..telemetry.calls import redis_called
from .connection import CommandPacker, PackedConnection
from .script import Given, Script, script
from .settings import JobsSettings

T = TypeVar("T")

#: Redis commands that one round trip carries at most; more wait for the next.
_MAX_PIPELINE = 256

#: What a script without KEYS, or without ARGV beside the prefix, is given.
_NONE: Given = {}

#: Tries of a broken call beyond the first, and seconds before the first and the longest of them,
#: which are jittered. Every step may be sent twice: what it did the first time is found done.
_RETRIES, _BACKOFF = 4, ExponentialWithJitterBackoff(base=0.1, cap=1.0)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One atomic step: the commands of one round trip, and how to read the reply to the last.

    A step that one plain command can do has no script, and costs Redis a tenth.
    """

    commands: Sequence[tuple[Any, ...]]
    parse: Callable[[Any], T]  # a script's reply is whatever its Lua returns
    #: What the last command runs, if that is a script.
    script: Script | None = None

    def queue_on(self, pipe: Any) -> None:  # redis-py types sync and async pipelines apart
        """Add this step's commands to a pipeline."""
        for command in self.commands:
            pipe.execute_command(*command)

    def read(self, replies: Sequence[Any]) -> T | Exception:
        """Read this step's replies. Exceptions are returned, so that steps stay apart."""
        failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if failed is not None:
            return translate(failed)
        try:
            return self.parse(replies[-1])
        except Exception as error:
            return error  # a reply that cannot be read must not take its neighbours along


def call_script(
    name: str,
    settings: JobsSettings,
    *,
    keys: Given = _NONE,
    args: Given = _NONE,
    parse: Callable[[Any], T],
    before: Sequence[tuple[Any, ...]] = (),
) -> Call[T]:
    """A step that is a script, its KEYS and ARGV given by the names that stand on top of it.

    `before` are plain commands sent ahead in the same round trip. Raises TypeError for a name that
    the script has not, or misses.
    """
    verb = script(name)
    return Call((*before, verb.command(settings.key_prefix, keys, args)), parse, verb)


def translate(error: Exception) -> Exception:
    """Our own error for what Redis says; others pass through."""
    if isinstance(error, OutOfMemoryError) or (
        isinstance(error, ResponseError) and "OOM" in str(error)
    ):
        return errors.QueueFull("the queue's memory is full; retry later")
    if isinstance(error, BusyLoadingError):
        return errors.QueueLoading()
    if isinstance(error, (RedisConnectionError, RedisTimeoutError)):
        return errors.Unavailable("the queue cannot be reached; retry later")
    return error


def _missing_script(replies: Sequence[Any]) -> bool:
    return any(isinstance(reply, NoScriptError) for reply in replies)


def _result(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer


class Queue:
    """Runs steps over a blocking connection; for workers and tools. Threads may share it."""

    def __init__(self, url: str, *, socket_timeout_s: float = 30.0) -> None:
        self.redis = redis.Redis.from_url(
            url,
            socket_timeout=socket_timeout_s,
            socket_connect_timeout=5,
            health_check_interval=30,
            retry=Retry(_BACKOFF, _RETRIES),
            command_packer=CommandPacker(),
        )

    def run(self, call: Call[T]) -> T:
        """Run one step. Raises our errors, never a half-done step."""
        try:
            replies = self._send(call)
            if call.script is not None and _missing_script(replies):
                self.redis.script_load(call.script.text)
                replies = self._send(call)
        except redis.RedisError as error:
            raise translate(error) from error
        return _result(call.read(replies))

    def _send(self, call: Call[Any]) -> list[Any]:
        began, ok = time.perf_counter(), False
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                call.queue_on(pipe)
                replies: list[Any] = pipe.execute(raise_on_error=False)
                ok = True
                return replies
        finally:
            redis_called(began, ok=ok)

    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values under some keys; None where there is none."""
        if not keys:
            return []
        return self._list_of("MGET", *keys)

    def members(self, key: str) -> set[bytes]:
        """Members of a set."""
        return set(self._list_of("SMEMBERS", key))

    def _list_of(self, *command: str) -> list[Any]:
        try:
            reply: Any = self.redis.execute_command(*command)  # typed for async callers as well
        except redis.RedisError as error:
            raise translate(error) from error
        return list(reply)

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()


class AsyncQueue:
    """Runs steps over an asyncio connection; steps that meet share a round trip."""

    def __init__(self, url: str, *, socket_timeout_s: float = 30.0) -> None:
        self.redis = redis.asyncio.Redis.from_url(
            url,
            # redis-py would set a timer for every reply; ours is one a round trip.
            socket_timeout=None,
            socket_connect_timeout=5,
            health_check_interval=30,
            retry=AsyncRetry(_BACKOFF, _RETRIES),
            connection_class=PackedConnection,  # sockets and TLS, told by the URL, have their own
        )
        self._timeout_s = socket_timeout_s
        self._pending: list[tuple[Call[Any], asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def run(self, call: Call[T]) -> T:
        """Run one step. Raises our errors, never a half-done step."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((call, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_pending())
        return await future

    async def _send_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[:_MAX_PIPELINE], self._pending[_MAX_PIPELINE:]
            try:
                answers = await self._round_trip([call for call, _ in batch])
            except redis.RedisError as error:
                answers = [translate(error)] * len(batch)
            except BaseException:
                for _, future in batch:
                    future.cancel()
                raise
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():  # its caller went away
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    async def _round_trip(self, calls: Sequence[Call[Any]]) -> list[Any]:
        answers: list[Any] = [None] * len(calls)
        todo = list(range(len(calls)))
        for _ in range(2):
            replies = await self._send([calls[index] for index in todo])
            missing = []
            for index, reply in zip(todo, replies, strict=True):
                if _missing_script(reply):
                    missing.append(index)
                else:
                    answers[index] = calls[index].read(reply)
            if not missing:
                break
            for text in {script.text for index in missing if (script := calls[index].script)}:
                await self.redis.script_load(text)
            todo = missing
        return answers

    async def _send(self, calls: Sequence[Call[Any]]) -> list[list[Any]]:
        began, ok = time.perf_counter(), False
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self.redis.pipeline(transaction=False) as pipe,
            ):
                for call in calls:
                    call.queue_on(pipe)
                replies = iter(await pipe.execute(raise_on_error=False))
                ok = True
        except TimeoutError as error:
            raise RedisTimeoutError(f"no reply in {self._timeout_s} s") from error
        finally:
            redis_called(began, ok=ok)
        return [[next(replies) for _ in call.commands] for call in calls]

    async def close(self) -> None:
        """Close the connections."""
        if self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender])
        await self.redis.aclose()
