"""Celery's consumer is connected and hears nothing: it is noticed, and mended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from celery import Celery

from wherry.client import Client
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import worker_command
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until
from .flock import follow, text
from .ledger import Ledger
from .wire import Command, Place, Wire

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PATIENCE_S = 2

MODELS = model("embedding")


@pytest.fixture
def lines() -> list[str]:
    """What the worker logs."""
    return []


@pytest.fixture
def make_stack(
    tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Stack]]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)

    def deaf_command(*args: object, **kwargs: object) -> list[str]:
        words = worker_command(*args, **kwargs)  # type: ignore[arg-type] # handed on
        words[words.index("wherry.workers")] = "deaf_worker"
        return words

    monkeypatch.setattr("wherry.ops.stack.worker_command", deaf_command)
    made: list[Stack] = []

    def make(redis_url: str = "") -> Stack:
        stack = Stack(
            models=models,
            data_dir=tmp_path / "data",
            redis_url=redis_url,
            flower=False,
            env={
                "WHERRY_TICKET_PATIENCE_S": str(PATIENCE_S),
                "WHERRY_LEASE_TTL_S": "3",
                "PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path[1:]]),
            },
            log=lambda service, line: lines.append(line),
        )
        made.append(stack)
        stack.start()
        return stack

    yield make
    for stack in made:
        stack.stop()


def control(stack: Stack, name: str) -> None:
    """Send a remote control to all workers, and wait for no answer."""
    with Celery(broker=stack.redis_url, set_as_current=False) as sender:
        sender.control.broadcast(name)


def mended(client: Client, lines: list[str], faults: Ledger, what: str, said: str) -> None:
    """A job that waits gets its answer, and the log says why it waited."""
    began = time.monotonic()
    ids = [client.submit("embedding", text(n), id=f"unheard {n}").id for n in range(5)]
    ended = follow(client, ids, 60)
    recovery_s = time.monotonic() - began
    assert any(said in line for line in lines), "the fault was none"
    faults.record(
        fault=f"consumer deaf ({what})",
        injected=1,
        jobs=len(ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=[recovery_s],
    )


@pytest.mark.parametrize("way", ["lose_the_queues", "lose_the_credit"])
def test_a_deaf_consumer_is_restarted(
    make_stack: Callable[..., Stack], lines: list[str], faults: Ledger, full: bool, way: str
) -> None:
    if way != "lose_the_queues" and not full:
        pytest.skip("in the full form")
    stack = make_stack()
    pid = stack.worker("text").pid
    with Client(stack.url, patience_s=30) as client:
        follow(client, [client.submit("embedding", text(0), id="before").id])
        control(stack, way)
        _wait_until_heard(stack)
        mended(client, lines, faults, way, "the consumer is restarted")
    assert stack.worker("text").pid == pid, "the process lives on: only its consumer is new"


def test_a_half_open_connection_is_noticed(
    make_stack: Callable[..., Stack], lines: list[str], faults: Ledger
) -> None:
    """Tickets vanish into it: Redis thinks that a consumer waits there."""

    def is_ours(command: Command) -> bool:
        return command[0].upper() == b"BRPOP" and b"text" in command

    with (
        TemporaryDirectory() as folder,
        RedisServer(Path(folder)) as server,
        Wire(server.port) as wire,
    ):
        stack = make_stack(wire.url)
        with Client(stack.url, patience_s=30) as client:
            follow(client, [client.submit("embedding", text(0), id="before").id])
            wire.break_at(is_ours, Place.SILENT)
            until(lambda: wire.breaks, bool)
            mended(client, lines, faults, "half-open connection", "the consumer is restarted")
        stack.stop()


def test_a_loop_that_hangs_ends_the_process(
    make_stack: Callable[..., Stack], lines: list[str], faults: Ledger, full: bool
) -> None:
    if not full:
        pytest.skip("in the full form")
    stack = make_stack()
    pid = stack.worker("text").pid
    with Client(stack.url, patience_s=60) as client:
        follow(client, [client.submit("embedding", text(0), id="before").id])
        control(stack, "stall")
        _wait_until_heard(stack)
        mended(client, lines, faults, "event loop hangs", "this worker ends itself")
    until(lambda: stack.worker("text").pid, lambda new: new not in (None, pid), 30)
    assert stack.worker("text").ends == 1


def _wait_until_heard(stack: Stack) -> None:
    """Until the broadcast has left Redis, and a moment for the loop to take it."""
    with redis.Redis.from_url(stack.redis_url) as connection:
        connection.ping()
    time.sleep(0.3)
