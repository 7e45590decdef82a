"""Connections to a server that is the primary no more are broken off, whoever holds them.

A primary that froze, was cut off or was told to step down keeps its connections: it is ten seconds
after another took its place that the sentinels make a replica of it, and what is written there
until then is lost. Who listens there hears nothing. So a thread a process asks the sentinels.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import weakref
from collections.abc import Iterable
from typing import Any

import redis
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

#: Seconds between two looks.
_EVERY_S = 1.0

_Address = tuple[str, int]
_Held = weakref.WeakKeyDictionary[Any, asyncio.AbstractEventLoop | None]

_lock = threading.Lock()
_watches: dict[tuple[Any, ...], _Watch] = {}


def watch(connection: Any) -> None:  # of redis-py, for threads or for asyncio
    """Watch a connection that a pool of Sentinel's has made, for as long as it lives."""
    pool = connection.connection_pool
    asked = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    hosts = sorted((each["host"], each["port"]) for each in asked)
    options = pool.sentinel_manager.sentinel_kwargs
    with _lock:
        key = (*hosts, pool.service_name)
        found = _watches.get(key)
        if found is None or not found.is_alive():  # as after a fork
            found = _watches[key] = _Watch(hosts, pool.service_name, options)
            found.start()
        is_async = isinstance(connection, AsyncConnection)
        found.connections[connection] = asyncio.get_running_loop() if is_async else None


class _Watch(threading.Thread):
    """Asks the sentinels of one primary, until nobody is connected to it."""

    def __init__(self, hosts: Iterable[_Address], master: str, options: dict[str, Any]) -> None:
        super().__init__(name="wherry-primary", daemon=True)
        options = {**options, "retry": Retry(NoBackoff(), 0), "decode_responses": True}
        self._sentinels = [redis.Redis(host, port, **options) for host, port in hosts]
        self._master = master
        self._over = threading.Event()
        #: Each with the event loop that it is of, if it is of one.
        self.connections: _Held = weakref.WeakKeyDictionary()

    def run(self) -> None:
        """Look now and then."""
        while not self._over.wait(_EVERY_S):
            with _lock:
                held = list(self.connections.items())
                if not held:  # who comes after this starts another
                    for key in [key for key, each in _watches.items() if each is self]:
                        del _watches[key]
                    break
            if address := self._named():
                for connection, loop in held:
                    _break_off(connection, loop, address)
                    del connection
            del held
        for sentinel in self._sentinels:
            sentinel.close()

    def _named(self) -> _Address | None:
        """Where the primary is, by the sentinel that knows of the last failover."""
        newest, named = -1, None
        for sentinel in self._sentinels:
            with contextlib.suppress(redis.RedisError, OSError):
                state: Any = sentinel.sentinel_master(self._master)
                if state["config-epoch"] > newest:
                    newest, named = state["config-epoch"], (state["ip"], state["port"])
        return named


def _break_off(connection: Any, loop: asyncio.AbstractEventLoop | None, address: _Address) -> None:
    """End a connection to another address; whoever holds it sees an end of file."""
    if (connection.host, connection.port) == address:
        return
    held = vars(connection).get("_sock" if loop is None else "_writer")
    if held is None:
        return
    with contextlib.suppress(OSError, RuntimeError):  # it was broken off, or its loop has ended
        if loop is None:
            # Any thread may do so. The plain socket's, under TLS too: TLS itself is not for two.
            socket.socket.shutdown(held, socket.SHUT_RDWR)
        else:
            loop.call_soon_threadsafe(held.transport.abort)
