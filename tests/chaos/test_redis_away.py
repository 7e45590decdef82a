"""Redis restarts, stands still, is full: what was accepted survives, and everybody goes on."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from wherry.client import Client
from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack
from wherry.protocol.errors import QueueFull
from wherry.protocol.states import JobState

from ..support.models import model
from ..support.waiting import until
from .flock import Trickle, at_rest, follow, text
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

LEASE_S = 3

MODELS = (
    model("embedding", max_batch_size=8, delay_s=0.02)
    + model("slow", "embedding", max_batch_size=4, delay_s=0.1)
    + model("long", "embedding", max_batch_size=1, delay_s=8.0)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    # Synced each second, a kill may take what was answered while the disk was slow.
    with RedisServer(tmp_path_factory.mktemp("redis"), appendfsync="always") as server:
        yield server


@pytest.fixture(scope="module")
def stack(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_LEASE_TTL_S": str(LEASE_S), "WHERRY_RESULT_TTL_S": "600"}
    with Stack(
        models=models,
        data_dir=folder,
        redis_url=server.url,
        workers_per_family=2,
        flower=False,
        env=env,
    ) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, patience_s=90) as client:
        yield client
        at_rest(client, 30)


@pytest.fixture
def connection(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.redis_url) as connection:
        yield connection


def still(server: RedisServer, connection: redis.Redis, seconds: float) -> None:
    """SIGSTOP: connections stay, and nothing answers."""
    os.kill(server.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(server.pid, signal.SIGCONT)


def paused(server: RedisServer, connection: redis.Redis, seconds: float) -> None:
    """CLIENT PAUSE: it answers nobody until then."""
    connection.execute_command("CLIENT", "PAUSE", int(seconds * 1000), "ALL")
    time.sleep(seconds)


@pytest.mark.parametrize("way", ["kill -9", "in order"])
def test_accepted_jobs_survive_a_restart_and_all_go_on(
    stack: Stack,
    server: RedisServer,
    client: Client,
    faults: Ledger,
    full: bool,
    chance: random.Random,
    way: str,
) -> None:
    """A recovery is from when Redis takes connections until a job has ended that came after."""
    recoveries = []
    with Trickle(stack.url, name=way) as trickle:
        for _ in range(20 if full else 2):
            time.sleep(chance.uniform(0.5, 1.0))
            server.kill() if way == "kill -9" else server.stop()
            time.sleep(chance.uniform(0, 2 * LEASE_S if full else 1))
            server.start()
            recoveries.append(trickle.next_end_s(client))
    ended = follow(client, trickle.ids)
    faults.record(
        fault=f"Redis restarted ({way})",
        injected=len(recoveries),
        jobs=len(trickle.ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=recoveries,
    )


@pytest.mark.parametrize("stand_still", [still, paused])
def test_redis_stands_still_for_longer_than_a_lease(
    stack: Stack,
    server: RedisServer,
    client: Client,
    connection: redis.Redis,
    faults: Ledger,
    full: bool,
    stand_still: Callable[[RedisServer, redis.Redis, float], None],
) -> None:
    """Heartbeats run out in it; no healthy worker's job may be taken for a dead one's."""
    if stand_still is paused and not full:
        pytest.skip("in the full form")
    name, seconds, recoveries = stand_still.__name__, 20.0 if full else LEASE_S + 2.0, []
    requeued = at_rest(client).get("requeued", 0)
    turns = 3 if full else 1
    ids = []
    with Trickle(stack.url, name=name) as trickle:
        for turn in range(turns):
            ids.append(client.submit("long", text(turn), id=f"{name} long {turn}").id)
            until(lambda: client.status(ids[-1]).status, lambda s: s is JobState.RUNNING)
            stand_still(server, connection, seconds)
            recoveries.append(trickle.next_end_s(client))
            time.sleep(2 * LEASE_S)  # long enough for a keeper that would take jobs back
    ended = follow(client, ids + trickle.ids)
    faults.record(
        fault=f"Redis stands still {seconds:.0f} s ({name})",
        injected=turns,
        jobs=len(ids) + len(trickle.ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=recoveries,
    )
    assert ended.attempts == 1, "no healthy job ran twice"
    assert at_rest(client).get("requeued", 0) == requeued


@contextmanager
def full_memory(connection: redis.Redis, room: int = 0) -> Iterator[None]:
    """A limit just above what is used."""
    connection.config_set("maxmemory", int(connection.info("memory")["used_memory"]) + room)
    try:
        yield
    finally:
        connection.config_set("maxmemory", 0)


def test_full_memory_refuses_submits_whole_and_lets_the_rest_go_on(
    stack: Stack, client: Client, connection: redis.Redis, faults: Ledger
) -> None:
    waiting = [client.submit("embedding", text(n), id=f"full {n}").id for n in range(40)]
    before = set(connection.scan_iter("wherry:*", count=1000))
    with full_memory(connection), Client(stack.url, patience_s=0.1) as hasty:
        for n, size in enumerate((0, 0, 80_000, 80_000)):
            with pytest.raises(QueueFull) as caught:
                hasty.submit("embedding", text(n, size), id=f"refused {n}")
            assert caught.value.retry_after_s >= 1
        names = {key.decode() for key in connection.scan_iter("wherry:*refused*", count=1000)}
        assert not names, "nothing half-written remains"
        ended = follow(client, waiting)
    assert before, "the keys are where this test looks"
    again = client.submit("embedding", text(0), id="refused 0")
    last = follow(client, [again.id])
    faults.record(
        fault="Redis at its memory limit",
        injected=1,
        jobs=len(waiting) + 1,
        lost=ended.lost + last.lost,
        duplicated=ended.duplicated + last.duplicated,
    )


def test_a_worker_can_start_while_memory_is_full(
    stack: Stack, client: Client, connection: redis.Redis, faults: Ledger
) -> None:
    """Else nobody would make room: the workers do, by ending jobs."""
    ids = [client.submit("embedding", text(n), id=f"start {n}").id for n in range(200)]
    workers = [stack.worker("text", n) for n in range(2)]
    with full_memory(connection):
        began = time.monotonic()
        for worker in workers:
            worker.signal(signal.SIGKILL)
        ended = follow(client, ids, 120)
        recovery_s = time.monotonic() - began
    faults.record(
        fault="workers killed, Redis at its memory limit",
        injected=2,
        jobs=len(ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=[recovery_s],
    )


def test_memory_filled_by_submits_is_made_room_in_again(
    stack: Stack, client: Client, connection: redis.Redis, faults: Ledger, full: bool
) -> None:
    """Clients that are too fast for the memory there is: each is told to wait, and gets through."""
    count, accepted, refusals = (400 if full else 100), list[str](), 0
    guard = threading.Lock()
    with full_memory(connection, room=1_500_000):

        def send(first: int) -> None:
            nonlocal refusals
            with Client(stack.url, patience_s=0.05) as hasty:
                for n in range(first, count, 4):
                    while True:
                        try:
                            job = hasty.submit("slow", text(n, 80_000), id=f"room {n}")
                        except QueueFull:
                            with guard:
                                refusals += 1
                            time.sleep(0.05)
                            continue
                        with guard:
                            accepted.append(job.id)
                        break

        senders = [threading.Thread(target=send, args=(first,)) for first in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        ended = follow(client, accepted)
    assert len(accepted) == count
    assert refusals, "there was room for all"
    faults.record(
        fault="submits against full memory",
        injected=refusals,
        jobs=count,
        lost=ended.lost,
        duplicated=ended.duplicated,
    )
