"""kombu's Redis transport, so that a worker can start and reconnect while Redis is full.

A worker that cannot come back then would keep Redis full: it is the workers that make room.
And Celery's settings for that Redis.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps
from redis import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError

from ..jobs import connection
from ..jobs.call import is_away
from ..jobs.celery_redis import for_celery

log = logging.getLogger(__name__)


class TicketMessage(virtual.Message):
    """A message; what lacks its parts is a ValueError, as what is no JSON is."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            begin: Any = super().__init__  # kombu ships no types
            begin(payload, channel, **options)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no message: {type(error).__name__}") from error


class _Patient:
    """A connection for which a server that takes no writes is one that is away.

    kombu connects anew where a connection broke; any other error of Redis ends the worker.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        """A reply."""
        read: Any = super().read_response  # type: ignore[misc] # of what it is mixed into
        try:
            return read(*args, **options)
        except ResponseError as error:
            if not is_away(error):
                raise
            raise RedisConnectionError(str(error)) from error


class _Connection(_Patient, Connection):
    pass


class _TlsConnection(_Patient, SSLConnection):
    pass


class _PrimaryConnection(_Patient, connection.PrimaryConnection):
    pass


class _PrimaryTlsConnection(_Patient, connection.PrimaryTlsConnection):
    pass


class Channel(redis.Channel):
    """A channel that does without the binding tables when they cannot be written.

    They tell publishers which lists belong to an exchange. Tickets are pushed to their list by
    name, and whoever sends through Celery declares the queue itself. A broadcast goes to whoever
    subscribes, and asks no table: kombu's would keep the name of every worker that was ever killed.
    """

    Message = TicketMessage
    connection_class: Any = _Connection
    connection_class_ssl: Any = _TlsConnection

    #: How many heard the last broadcast.
    heard_by = 0

    def _put_fanout(self, exchange: str, message: Any, routing_key: str, **_: Any) -> None:
        """Deliver a broadcast; as kombu does, but keeping what Redis answers."""
        topics: Any = self._get_publish_topics
        connection: Any = self.conn_or_acquire
        with connection() as client:
            found = [client.publish(t, dumps(message)) for t in topics(exchange, routing_key)]
        self.heard_by = sum(found)

    def _brpop_read(self, **options: Any) -> Any:
        """Read what a list gave; anyone may push there, and nothing pushed ends the worker."""
        try:
            read: Any = super()._brpop_read
            return read(**options)
        except ValueError as error:
            log.warning("what is no message was dropped: %s", error)
            return True

    def close(self) -> None:
        """Close, without waiting for the ticket or the silence that was asked for last."""
        asked: Any = self._in_poll  # the connection, while it waits
        if asked:
            asked.disconnect()
        end: Any = super().close
        end()

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        kind: Any = self.typeof
        if kind(exchange).type == "fanout":
            self._fanout_queues[queue] = exchange, routing_key.replace("#", "*")
            return
        try:
            bind: Any = super()._queue_bind
            bind(exchange, routing_key, pattern, queue)
        except OutOfMemoryError:
            log.warning(
                "Redis is full: queue %r stays undeclared, which tickets do not need", queue
            )

    def _refresh_bindings(self, queues: Any) -> None:
        refresh: Any = super()._refresh_bindings
        with contextlib.suppress(OutOfMemoryError):  # kombu would log its trace each second
            refresh([queue for queue in queues if queue not in self._fanout_queues])


class Transport(redis.Transport):
    """The transport with that channel, which wakes less often."""

    Channel = Channel

    #: Seconds that Redis is asked to wait for a ticket at a time; kombu's own 1.
    brpop_timeout = 5

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Look less often for tables whose time is over: a worker's queues have none that ends."""
        register: Any = super().register_with_event_loop
        register(connection, loop)
        name = "_binding_expiry_tref"
        cycle: Any = self.cycle
        if timer := getattr(cycle, name, None):
            timer.cancel()
            look, every_s = cycle.maybe_refresh_binding_expiry, redis.BINDING_SWEEP_INTERVAL
            setattr(cycle, name, loop.call_repeatedly(every_s, look))


class SentinelChannel(Channel, redis.SentinelChannel):
    """The channel of a Redis that fails over: it serves no server but the primary."""

    connection_class = _PrimaryConnection
    connection_class_ssl: Any = _PrimaryTlsConnection


class SentinelTransport(Transport):
    """The transport for a Redis that fails over."""

    Channel = SentinelChannel
    default_port: Any = redis.SentinelTransport.default_port


def install() -> None:
    """Let kombu take these transports for our URLs, by whose names it also settles TLS."""
    name = f"{__name__}:Transport"
    TRANSPORT_ALIASES.update(redis=name, rediss=name, sentinel=f"{__name__}:SentinelTransport")


def broker(url: str) -> dict[str, Any]:
    """Celery's settings for a Redis."""
    told = for_celery(url)
    fails_over = connection.fails_over(url)
    return {
        "broker_url": told.url,
        "broker_use_ssl": told.tls or False,
        "broker_transport_options": {
            # Tickets are acknowledged on receipt, so keeping a copy of each until then is work for
            # nothing; and it fails when Redis is full, which would end the consumer.
            "ack_emulation": False,
            # A half-open connection must not hold the event loop, nor a reconnection, for ever.
            "socket_timeout": connection.timeout_s(url),
            "socket_connect_timeout": 2 if fails_over else 5,
            "socket_keepalive": True,
            # Also by how much a ticket's asker outlives an answer that is due: see kombu's poller.
            "health_check_interval": 3 if fails_over else 10,
            **told.options,
        },
    }
