"""kombu's Redis transport, so that a worker can start and reconnect while Redis is full.

A worker that cannot come back then would keep Redis full: it is the workers that make room.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import OutOfMemoryError

log = logging.getLogger(__name__)


class Channel(redis.Channel):
    """A channel that does without the binding tables when they cannot be written.

    They tell publishers which lists belong to an exchange. Tickets are pushed to their list by
    name, and whoever sends through Celery declares the queue itself.
    """

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            bind: Any = super()._queue_bind  # kombu ships no types
            bind(exchange, routing_key, pattern, queue)
        except OutOfMemoryError:
            log.warning(
                "Redis is full: queue %r stays undeclared, which tickets do not need", queue
            )

    def _refresh_bindings(self, queues: Any) -> None:
        refresh: Any = super()._refresh_bindings
        with contextlib.suppress(OutOfMemoryError):  # kombu would log its trace each second
            refresh(queues)


class Transport(redis.Transport):
    """The transport with that channel."""

    Channel = Channel


def install() -> None:
    """Let kombu take this transport for redis:// and rediss://, by which it also settles TLS."""
    name = f"{__name__}:Transport"
    TRANSPORT_ALIASES.update(redis=name, rediss=name)
