"""What kombu leaves in Redis for workers that come and are killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from wherry.workers import transport

TABLES = "_kombu.binding*"


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


def opened(url: str) -> Connection:
    return Connection(url, transport=f"{transport.__name__}:Transport")


def listen(url: str, name: str) -> Connection:
    """Bind as a worker does, to what is sent to all and to its family; it is never unbound."""
    link = opened(url)
    channel: Any = link.channel()
    everybody = Exchange("celery.pidbox", type="fanout", durable=False)
    for queue in (
        Queue(f"{name}.celery.pidbox", everybody, auto_delete=True, expires=10),
        Queue("text", Exchange("text")),
    ):
        queue(channel).declare()
    channel._refresh_bindings([f"{name}.celery.pidbox"])  # as its event loop does now and then
    return link


def test_workers_that_were_killed_leave_nothing_for_each_of_them(
    redis_url: str, connection: redis.Redis
) -> None:
    links = [listen(redis_url, f"text-0@pod-{number}") for number in range(20)]
    tables = {key: connection.scard(key) for key in connection.scan_iter("_kombu.binding.*")}
    assert tables == {b"_kombu.binding.text": 1}
    assert set(connection.scan_iter(TABLES)) == {
        b"_kombu.binding.text",
        b"_kombu.binding_permanent.text",
    }
    for link in links:
        link.release()


def test_what_is_sent_to_all_workers_reaches_them_all_the_same(
    redis_url: str, connection: redis.Redis
) -> None:
    app = Celery("all", broker=redis_url, set_as_current=False)
    app.conf.update(
        broker_transport=f"{transport.__name__}:Transport", worker_hijack_root_logger=False
    )
    with start_worker(app, pool="threads", hostname="me@here", perform_ping_check=False):
        assert app.control.ping(timeout=10, limit=1) == [{"me@here": {"ok": "pong"}}]
        assert not connection.exists("_kombu.binding.celery.pidbox")
    app.close()


def test_a_channel_that_is_closed_waits_for_no_ticket_more(redis_url: str) -> None:
    link = opened(redis_url)
    channel: Any = link.channel()
    Queue("idle", Exchange("idle"))(channel).declare()
    channel.basic_consume("idle", no_ack=True, callback=lambda _: None, consumer_tag="it")
    channel.connection.cycle.on_poll_start()
    assert channel._in_poll, "Redis was asked for a ticket"
    began = time.monotonic()
    link.close()
    assert time.monotonic() - began < channel.brpop_timeout / 2


def _declare(channel: Any) -> None:
    Queue("text", Exchange("text"))(channel).declare()  # kombu writes its table in a transaction


def _wait_for_a_ticket(channel: Any) -> None:
    channel.client.brpop("text", 1)


@pytest.mark.parametrize("ask", [_declare, _wait_for_a_ticket])
def test_a_server_that_takes_no_writes_is_one_that_is_away(
    redis_url: str, connection: redis.Redis, ask: Callable[[Any], None]
) -> None:
    connection.config_set("min-replicas-to-write", 1)
    link = opened(redis_url)
    try:
        with pytest.raises(link.connection_errors, match="NOREPLICAS"):
            ask(link.channel())
    finally:
        connection.config_set("min-replicas-to-write", 0)
        link.release()
