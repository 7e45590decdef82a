"""A fleet whose Redis is reached over TLS, by one URL: docs/hardening.md has its settings."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import typer
from kombu.connection import Connection
from typer.testing import CliRunner

from wherry.api.access.commands import register as register_keys
from wherry.api.core.waiters import Waiters
from wherry.client import Client
from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.record import BatchStats
from wherry.jobs.submit import submit
from wherry.ops.checks import StackError, ping_redis
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, worker_command
from wherry.ops.stack import Stack
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.workers.commands import register as register_sweep
from wherry.workers.transport import broker

from ..support.models import model
from ..support.waiting import until
from .tls_door import Door, Papers

MODELS = model("embedding")
GROUP = Group("text", "embedding", "1")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers.make(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The certificate of an authority that signed nothing here."""
    return str(Papers.make(tmp_path_factory.mktemp("tls") / "theirs").ca)


@pytest.fixture(scope="module")
def door(redis_server: RedisServer, papers: Papers) -> Iterator[Door]:
    with Door.before(redis_server.port, papers, "localhost") as door:
        yield door


@pytest.fixture(scope="module")
def strict(redis_server: RedisServer, papers: Papers) -> Iterator[Door]:
    """Asks callers for a certificate of our authority."""
    with Door.before(redis_server.port, papers, "localhost", clients=papers.ca) as door:
        yield door


@pytest.fixture(scope="module")
def elsewhere(redis_server: RedisServer, papers: Papers) -> Iterator[Door]:
    """Its certificate is for another host."""
    with Door.before(redis_server.port, papers, "elsewhere.test") as door:
        yield door


def trusting(papers: Papers) -> dict[str, str]:
    return {"ssl_ca_certs": str(papers.ca), "ssl_cert_reqs": "required"}


async def life_and_news_of_a_job(url: str, job_id: str) -> str:
    """Submit by the API's connection, finish by a worker's; what a waiter hears of it."""
    settings, queue, works = JobsSettings(redis_url=url), AsyncQueue(url), Queue(url)
    waiters = Waiters(queue, settings)
    waiters.start()
    try:
        with waiters.watching([job_id]) as watch:
            assert await watch.heard(30) == "", "the subscription stands"
            watch.clear()
            payload = b"{}".ljust(200_000)  # a dozen TLS records
            job = NewJob(
                id=job_id,
                task="embedding",
                group=GROUP,
                payload=payload,
                header_length=2,
                fingerprint="f0",
            )
            await queue.run(submit(job, settings))
            [mine] = works.run(claim(GROUP, "w1", {GROUP.model_id: BatchBudget()}, settings)).jobs
            assert works.values([mine.payload_key]) == [payload]
            outcome = Outcome(id=mine.id, attempt=mine.attempt, result=b"{}", header_length=2)
            batch = BatchStats(group=GROUP, rows=1, max_rows=1, executions=1)
            works.run(finish("w1", [outcome], batch, settings))
            return await watch.heard(30)
    finally:
        await waiters.stop()
        await queue.close()
        works.close()


def test_jobs_and_their_news_go_over_tls(door: Door, papers: Papers, redis_url: str) -> None:
    before = len(door.met)
    assert asyncio.run(life_and_news_of_a_job(door.url(**trusting(papers)), "j")) == "succeeded"
    assert door.met[before:] == [("TLSv1.3", [])] * 3, "two connections of the API, a worker's"


@pytest.mark.slow
def test_a_client_certificate_is_shown(strict: Door, papers: Papers, redis_url: str) -> None:
    url = strict.url(**trusting(papers), **papers.issue("fleet.test"))
    assert asyncio.run(life_and_news_of_a_job(url, "k")) == "succeeded"
    assert strict.met == [("TLSv1.3", ["fleet.test"])] * 3
    with pytest.raises(StackError, match="does not answer"):
        ping_redis(strict.url(**trusting(papers)))


def celery_connects(url: str) -> None:
    """Connect as workers' consumers and Flower's event reader do."""
    said = broker(url)
    with Connection(said["broker_url"], ssl=said["broker_use_ssl"]) as connection:
        connection.transport.establish_connection()


@pytest.mark.parametrize("connect", [ping_redis, celery_connects])
def test_who_cannot_be_trusted_is_refused_with_the_reason(
    door: Door, elsewhere: Door, papers: Papers, stranger: str, connect: Callable[[str], None]
) -> None:
    ours = trusting(papers)
    connect(door.url(**ours))
    for url, reason in (
        (door.url(), "CERTIFICATE_VERIFY_FAILED.*local issuer"),
        (door.url(ssl_ca_certs=stranger), "CERTIFICATE_VERIFY_FAILED.*local issuer"),
        (elsewhere.url(**ours), "certificate is not valid for 'localhost'"),
    ):
        with pytest.raises((StackError, redis.ConnectionError), match=reason):
            connect(url)
    connect(elsewhere.url(**ours, ssl_check_hostname="no"))
    connect(door.url(ssl_cert_reqs="none"))


def test_a_plain_url_to_a_tls_port_is_told_apart(door: Door) -> None:
    with pytest.raises(StackError, match="where its port speaks TLS, write rediss://"):
        ping_redis(door.url("redis"))


def test_commands_that_use_redis_take_the_url(
    door: Door, papers: Papers, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_REDIS_URL", door.url(**trusting(papers)))
    monkeypatch.setenv("WHERRY_STORE_DIR", str(tmp_path))
    app = typer.Typer()
    register_keys(app)
    register_sweep(app)
    said = ""
    for command in ("keys create --tenant acme", "keys list --json", "keys revoke {}", "sweep"):
        before = len(door.met)
        key_id = json.loads(said)["id"] if "revoke" in command else ""
        done = CliRunner().invoke(app, command.format(key_id).split())
        assert done.exit_code == 0, done.output
        assert len(door.met) == before + 1
        said = done.stdout


class Fleet:
    """A stack that knows Redis by a TLS door only, and the Redis behind it."""

    def __init__(self, stack: Stack, door: Door, admin: Any) -> None:
        self.stack, self.door, self.admin = stack, door, admin

    def run(self, client: Client, number: int) -> str:
        """A job from submit to result; its id."""
        text = f"{number} ".ljust(200_000, "x")
        job_id = client.submit("embedding", EmbeddingInput(texts=[text])).id
        assert client.wait(job_id, 60).status == "succeeded"
        return job_id

    def flower(self, path: str) -> Any:
        return httpx.get(f"{self.stack.flower_url}/api/{path}", timeout=10).json()


@contextmanager
def admitting(url: str) -> Iterator[Any]:
    """A connection to Redis, which has a user for the fleet."""
    with redis.Redis.from_url(url) as admin:
        admin.execute_command("ACL", "SETUSER", "fleet", "on", ">s@cret?", "~*", "&*", "+@all")
        yield admin


@pytest.fixture(scope="module", params=["server", "both"])
def fleet(
    request: pytest.FixtureRequest, papers: Papers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """The server shows a certificate; or both sides do, and the fleet has a password too."""
    folder, both = tmp_path_factory.mktemp("fleet"), request.param == "both"
    (folder / "models.toml").write_text(MODELS)
    own = papers.issue("fleet.test") if both else {}
    host = "fleet:s%40cret%3F@localhost" if both else "localhost"
    with (
        RedisServer(folder / "redis") as server,
        admitting(server.url) as admin,
        Door.before(server.port, papers, "localhost", clients=papers.ca if both else None) as door,
        Stack(
            models=folder / "models.toml",
            data_dir=folder,
            redis_url=door.url(host=host, **trusting(papers), **own),
            env={"FLOWER_UNAUTHENTICATED_API": "true"},  # the test reads what the page shows
        ) as stack,
    ):
        yield Fleet(stack, door, admin)


@pytest.mark.slow
def test_a_fleet_works_over_tls_from_end_to_end(fleet: Fleet) -> None:
    with Client(fleet.stack.url) as client:
        until(lambda: fleet.run(client, 0) in fleet.flower("tasks"))
        answer = client.infer("embedding", EmbeddingInput(texts=["awaited"]))
    assert answer
    # It asked workers for their queues when it came up, which may have been before they did.
    until(lambda: fleet.flower("workers?refresh=true"))
    queues = {"name": "text", "messages": 0}
    until(lambda: queues in fleet.flower("queues/length")["active_queues"])
    own, both = str(fleet.admin.client_id()), "ssl_certfile" in fleet.stack.redis_url
    others = [seen for seen in fleet.admin.client_list() if seen["id"] != own]
    assert {seen["user"] for seen in others} == {"fleet" if both else "default"}
    ports = {int(seen["addr"].rpartition(":")[2]) for seen in others}
    assert ports <= fleet.door.ports, "all came through the door"
    names = ["fleet.test"] if both else []
    assert fleet.door.met == [("TLSv1.3", names)] * len(fleet.door.met)


@pytest.mark.slow
def test_cut_connections_come_back(fleet: Fleet) -> None:
    worker = fleet.stack.worker("text").pid
    with Client(fleet.stack.url) as client:
        for number in range(3):
            met = len(fleet.door.met)
            assert fleet.door.cut_all() > 5
            fleet.run(client, number)
            assert len(fleet.door.met) > met
        until(lambda: fleet.run(client, 9) in fleet.flower("tasks"))
    assert fleet.stack.worker("text").pid == worker, "it was not started again"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["local issuer", "not valid for 'localhost'"])
def test_a_fleet_says_why_it_does_not_trust_its_redis(
    door: Door, elsewhere: Door, papers: Papers, stranger: str, tmp_path: Path, fault: str
) -> None:
    wrong = (
        door.url(ssl_ca_certs=stranger) if "issuer" in fault else elsewhere.url(**trusting(papers))
    )
    (tmp_path / "models.toml").write_text(MODELS)
    env = {**os.environ, "WHERRY_REDIS_URL": wrong, "WHERRY_MODELS": str(tmp_path / "models.toml")}
    port, lines = free_port(), list[str]()
    children = [
        Child(name, command, env=env, on_line=lines.append, restart=False)
        for name, command in (("api", api_command(port)), ("worker", worker_command("text", 0)))
    ]
    met = len(door.met) + len(elsewhere.met)
    try:
        for child in children:
            child.start()
        until(lambda: children[1].returncode == 1)
        until(lambda: told(lines, "the change feed broke off", fault))
        ready = httpx.get(f"http://127.0.0.1:{port}/v2/health/ready", timeout=30)
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert httpx.get(f"http://127.0.0.1:{port}/v2/health/live").status_code == 200
    finally:
        for child in children:
            child.stop(30)
    assert told(lines, "this worker cannot start: the queue cannot be reached", fault), lines
    assert len(door.met) + len(elsewhere.met) == met, "no handshake went through"


def told(lines: list[str], *words: str) -> bool:
    """Whether one line has all of them."""
    return any(all(word in line for word in words) for line in lines)
