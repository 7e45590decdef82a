"""Connections to Redis, of both kinds: to a server, or to whichever its sentinels call primary.

Commands are packed by hiredis. A connection to a primary looks first whether the server is one, and
is given up when the server turns out to be one no more.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import hiredis
import redis
import redis.asyncio
from redis.asyncio import Connection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection as AsyncManaged
from redis.asyncio.sentinel import SentinelManagedSSLConnection as AsyncManagedOverTls
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from . import redis_url
from .primary_watch import watch
from .sentinel_url import SentinelUrl

#: Commands of ours that have many arguments; and whose names are one word.
_LONG = ("EVALSHA", "MGET")

#: Tries of a broken call beyond the first, and seconds before the first and the longest of them,
#: which are jittered. Every step may be sent twice: what it did the first time is found done.
_RETRIES, _BACKOFF = 4, ExponentialWithJitterBackoff(base=0.1, cap=1.0)

#: Seconds without a reply after which a server counts as gone. Where another takes its place, it is
#: no use to wait for long.
_TIMEOUT_S, _FAILOVER_TIMEOUT_S = 30.0, 4.0

#: Seconds that a sentinel may take to say where the primary is; then the next one is asked.
_SENTINEL_TIMEOUT_S = 1.0

#: Seconds for which a step is tried while another server may take the primary's place.
_FAILOVER_S = 12.0

_CONNECT_TIMEOUT_S: Final = 5.0


class CommandPacker(HiredisRespSerializer):
    """Packs in C alone: redis-py looks at each of a batch's 300 arguments first."""

    def pack(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        if args[0] in _LONG:
            with contextlib.suppress(TypeError):  # there are buffers among them
                return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack(*args)
        return packed


_PACKER = CommandPacker()


class PackedConnection(Connection):
    """Packs in C: a submit has thirty arguments, and redis-py joins them one by one."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        return _PACKER.pack(*args)


def _require_primary(role: Any) -> None:
    if role[0] not in (b"master", "master"):
        raise RedisConnectionError("the server is a replica: a failover is under way")


class PrimaryConnection(SentinelManagedConnection):
    """A connection to what the sentinels call primary, if it is one: they may know it late."""

    def on_connect_check_health(self, check_health: bool = True) -> None:  # as redis-py has it
        """Log in, then ask the server what it is."""
        super().on_connect_check_health(check_health)
        with contextlib.suppress(NoPermissionError):  # then a write will tell
            ask: Any = self.send_command  # redis-py types none of it
            ask("ROLE", check_health=False)
            _require_primary(self.read_response())
        watch(self)


class PrimaryTlsConnection(PrimaryConnection, SentinelManagedSSLConnection):
    """The same over TLS."""


class AsyncPrimaryConnection(AsyncManaged):
    """The same for asyncio, packed in C."""

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, then ask the server what it is."""
        await super().on_connect_check_health(check_health)
        with contextlib.suppress(NoPermissionError):
            await self.send_command("ROLE", check_health=False)
            _require_primary(await self.read_response())
        watch(self)

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        return _PACKER.pack(*args)


class AsyncPrimaryTlsConnection(AsyncPrimaryConnection, AsyncManagedOverTls):
    """The same over TLS."""


def fails_over(url: str) -> bool:
    """Whether another server takes the place of one that is gone."""
    return SentinelUrl.parse(url) is not None


def timeout_s(url: str) -> float:
    """Seconds without a reply after which the server counts as gone."""
    return _FAILOVER_TIMEOUT_S if fails_over(url) else _TIMEOUT_S


def patience_s(url: str) -> float:
    """Seconds for which a step is tried again while the server is gone, beyond redis-py's tries."""
    return _FAILOVER_S if fails_over(url) else 0.0


def sentinel_options(url: SentinelUrl, tls: dict[str, Any] | None) -> dict[str, Any]:
    """How sentinels are called, by redis-py's names: of those that do not answer the next is asked.

    By itself redis-py tries each of them four times, over seconds.
    """
    return {
        "socket_timeout": _SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        **({"username": url.sentinel_username} if url.sentinel_username else {}),
        **({"password": url.sentinel_password} if url.sentinel_password else {}),
        **({"ssl": True, **tls} if tls else {}),
    }


def connect(url: str, *, socket_timeout_s: float | None = None) -> redis.Redis:
    """A client of threads, for the server that the URL names or its sentinels do."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_s(url) if socket_timeout_s is None else socket_timeout_s,
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
        "health_check_interval": 30,
        "command_packer": CommandPacker(),
    }
    where = SentinelUrl.parse(url)
    if where is None:
        return redis.Redis.from_url(url, retry=Retry(_BACKOFF, _RETRIES), **options)
    tls = redis_url.tls(url)
    sentinel = Sentinel(where.hosts, sentinel_kwargs=sentinel_options(where, tls))
    found: redis.Redis = sentinel.master_for(
        where.master,
        connection_class=PrimaryTlsConnection if tls else PrimaryConnection,
        **_of_primary(where, tls, options),
        retry=Retry(NoBackoff(), 0),  # its callers' patience is longer
    )
    return found


def connect_async(url: str) -> redis.asyncio.Redis:
    """The same for asyncio. Replies may take any time: a timer for each would cost too much."""
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
        "health_check_interval": 30,
    }
    where = SentinelUrl.parse(url)
    if where is None:
        return redis.asyncio.Redis.from_url(
            url,
            retry=AsyncRetry(_BACKOFF, _RETRIES),
            connection_class=PackedConnection,  # sockets and TLS, told by the URL, have their own
            **options,
        )
    tls = redis_url.tls(url)
    asked = {**sentinel_options(where, tls), "retry": AsyncRetry(NoBackoff(), 0)}
    sentinel = AsyncSentinel(where.hosts, sentinel_kwargs=asked)
    found: redis.asyncio.Redis = sentinel.master_for(
        where.master,
        connection_class=AsyncPrimaryTlsConnection if tls else AsyncPrimaryConnection,
        **_of_primary(where, tls, options),
        retry=AsyncRetry(NoBackoff(), 0),
    )
    return found


def close(client: redis.Redis) -> None:
    """Close a client's connections, those to sentinels too."""
    client.close()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        client.connection_pool.sentinel_manager.close()


async def close_async(client: redis.asyncio.Redis) -> None:
    """The same for asyncio."""
    await client.aclose()
    if isinstance(client.connection_pool, AsyncSentinelConnectionPool):
        await client.connection_pool.sentinel_manager.aclose()


def _of_primary(
    where: SentinelUrl, tls: dict[str, Any] | None, options: dict[str, Any]
) -> dict[str, Any]:
    login = {"username": where.username, "password": where.password}
    return {**options, **login, "db": where.db, "socket_keepalive": True, **(tls or {})}
