"""How a verb reaches Redis: built once as plain data, run by a sync or an async connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis
from redis.exceptions import (
    BusyLoadingError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..protocol import errors
from ..telemetry.calls import redis_called
from . import connection
from .reach import HOME, Reach
from .script import Given, Script, script
from .settings import JobsSettings

T = TypeVar("T")

#: What a script without KEYS, or without ARGV beside the prefix, is given.
_NONE: Given = {}

_MARK = "wherry:replicated"

#: Seconds between two tries while another server takes the place of one that is gone.
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One atomic step: the commands of one round trip, and how to read the reply to the last.

    A step that one plain command can do has no script, and costs Redis a tenth.
    """

    commands: Sequence[tuple[Any, ...]]
    parse: Callable[[Any], T]  # a script's reply is whatever its Lua returns
    #: What the last command runs, if that is a script.
    script: Script | None = None
    #: Which Redis it goes to, where families have their own.
    reach: Reach[Any] = HOME

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
    reach: Reach[Any] = HOME,
) -> Call[T]:
    """A step that is a script, its KEYS and ARGV given by the names that stand on top of it.

    `before` are plain commands sent ahead in the same round trip. Raises TypeError for a name that
    the script has not, or misses.
    """
    verb = script(name)
    return Call((*before, verb.command(settings.key_prefix, keys, args)), parse, verb, reach)


def translate(error: Exception) -> Exception:
    """Our own error for what Redis says; others pass through."""
    if isinstance(error, OutOfMemoryError) or (
        isinstance(error, ResponseError) and "OOM" in str(error)
    ):
        return errors.QueueFull("the queue's memory is full; retry later")
    if isinstance(error, BusyLoadingError):
        return errors.QueueLoading()
    if is_away(error):
        return errors.Unavailable("the queue cannot be reached; retry later")
    return error


def is_away(error: Exception) -> bool:
    """Whether an error says that this server is not, or no more, the one that takes writes."""
    if isinstance(error, BusyLoadingError):
        return False
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, ReadOnlyError, MasterDownError)):
        return True
    said = str(error) if isinstance(error, ResponseError) else ""
    return said.startswith(("NOREPLICAS", "UNBLOCKED"))


def replicated(least: int, timeout_s: float) -> tuple[tuple[Any, ...], ...]:
    """Commands whose last answers how many replicas have all that was written before them.

    WAIT looks at its own connection's last write, and calls one that wrote nothing replicated. What
    is published, on a channel that nobody hears, is sent to replicas too.
    """
    return ("PUBLISH", _MARK, ""), ("WAIT", least, int(timeout_s * 1000))


def demotion(replies: Sequence[Any]) -> Exception | None:
    """The reply of a server that was the primary and is a replica now, if there is one."""
    return next((each for each in replies if isinstance(each, ReadOnlyError)), None)


def missing_script(replies: Sequence[Any]) -> bool:
    """Whether the server does not know a script that it was to run."""
    return any(isinstance(reply, NoScriptError) for reply in replies)


def _result(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer


class Queue:
    """Runs steps over a blocking connection; for workers and tools. Threads may share it."""

    def __init__(self, url: str, *, socket_timeout_s: float | None = None) -> None:
        #: This one alone: families that have their own are a BlockingFleetQueue's.
        self.parts: tuple[Queue, ...] = (self,)
        self.redis = connection.connect(url, socket_timeout_s=socket_timeout_s)
        self._patience_s = connection.patience_s(url)

    def run(self, call: Call[T]) -> T:
        """Run one step. Raises our errors, never a half-done step."""
        return _result(call.read(self._patiently(lambda: self._replies(call))))

    def _replies(self, call: Call[Any]) -> list[Any]:
        replies = self._send(call)
        if call.script is not None and missing_script(replies):
            self.redis.script_load(call.script.text)
            replies = self._send(call)
        return replies

    def _send(self, call: Call[Any]) -> list[Any]:
        began, ok = time.perf_counter(), False
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                call.queue_on(pipe)
                replies: list[Any] = pipe.execute(raise_on_error=False)
            ok = True
        finally:
            redis_called(began, ok=ok)
        if demoted := demotion(replies):
            raise demoted
        return replies

    def _patiently(self, work: Callable[[], T]) -> T:
        """Work; again where the server is gone and another may take its place."""
        deadline, turned = time.monotonic() + self._patience_s, False
        while True:
            try:
                return work()
            except redis.RedisError as error:
                # One that was the primary: whoever is now may be behind the same address.
                again = time.monotonic() < deadline or (
                    isinstance(error, ReadOnlyError) and not turned
                )
                if not (again and is_away(error)):
                    raise translate(error) from error
                turned = True
                self.redis.connection_pool.disconnect(inuse_connections=False)
                time.sleep(PAUSE_S)

    def is_replicated(self, least: int, timeout_s: float) -> bool:
        """Whether so many replicas have all that was written until now; False where unknown."""
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                for command in replicated(least, timeout_s):
                    pipe.execute_command(*command)
                _, found = pipe.execute()
        except redis.RedisError:
            return False
        return int(found) >= least

    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values under some keys; None where there is none."""
        if not keys:
            return []
        return self._list_of("MGET", *keys)

    def members(self, key: str) -> set[bytes]:
        """Members of a set."""
        return set(self._list_of("SMEMBERS", key))

    def _list_of(self, *command: str) -> list[Any]:
        reply: Any = self._patiently(lambda: self.redis.execute_command(*command))
        return list(reply)

    def close(self) -> None:
        """Close the connections."""
        connection.close(self.redis)
