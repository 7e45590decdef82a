"""The API is killed between any two steps of a Celery task: one job, one result."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from celery import Celery

from wherry.client import Client
from wherry.jobs.celery_tasks import SUBMIT
from wherry.ops.redis_server import RedisServer, free_port
from wherry.ops.services import api_command
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until
from .flock import at_rest, follow
from .ledger import Ledger, is_full
from .wire import Place, Wire, named, runs

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

MODELS = model("embedding")

#: Where the API dies: with the message taken; before the job, and behind it; before the message is
#: let go; before Celery has the result, behind it, and before that is written down.
DEATHS = {
    "taken": (runs("celery_take"), Place.AFTER),
    "before the job": (runs("submit"), Place.BEFORE),
    "behind the job": (runs("submit"), Place.AFTER),
    "before it lets go": (runs("celery_settle"), Place.BEFORE),
    "before the result": (named("EXEC"), Place.BEFORE),
    "behind the result": (named("EXEC"), Place.AFTER),
    "before it is told": (runs("webhook_settle"), Place.BEFORE),
}

#: The short form's: each takes the lease's fifteen seconds.
SHORT = ("before the job", "behind the result")


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, Wire(server.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def stack(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    direct = f"redis://127.0.0.1:{wire.target}/0"
    env = {"WHERRY_CELERY_TASKS_AT_ONCE": "0"}  # they are the victims'
    with Stack(models=models, data_dir=folder, redis_url=direct, flower=False, env=env) as stack:
        yield stack


class Victim:
    """An API process that takes Celery's tasks, on the line that breaks."""

    def __init__(self, stack: Stack, wire: Wire) -> None:
        self._port = free_port()
        self._env = {
            **os.environ,
            "WHERRY_REDIS_URL": wire.url,
            "WHERRY_MODELS": str(stack.models),
            "WHERRY_STORE_DIR": str(stack.data_dir / "blobs"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(api_command(self._port), env=self._env)

    def wait(self) -> None:
        url = f"http://127.0.0.1:{self._port}/v2/health/live"

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(url, timeout=1).status_code == 200
            return False

        until(answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def victim(stack: Stack, wire: Wire) -> Iterator[Victim]:
    victim = Victim(stack, wire)
    yield victim
    wire.reset()
    victim.kill()


@pytest.mark.parametrize("death", DEATHS if is_full() else SHORT)
def test_a_task_is_one_job_and_has_its_result(
    stack: Stack, wire: Wire, victim: Victim, faults: Ledger, death: str
) -> None:
    direct = f"redis://127.0.0.1:{wire.target}/0"
    with (
        Client(stack.url) as client,
        redis.Redis.from_url(direct) as seen,
        Celery("user", broker=direct, set_as_current=False) as app,
    ):
        before = at_rest(client)["submitted"]
        kwargs = {"model": "embedding", "input": {"texts": [death]}}
        sent = app.send_task(SUBMIT, kwargs=kwargs, queue=SUBMIT)
        died = wire.break_at(*DEATHS[death], meanwhile=victim.kill)
        victim.start()
        assert died.wait(60)
        began = time.monotonic()
        wire.reset()
        victim.start()
        victim.wait()
        key = f"celery-task-meta-{sent.id}"
        until(lambda: seen.get(key))
        recovery = time.monotonic() - began
        until(lambda: seen.zcard("wherry:celery:ends:due") + seen.hlen("wherry:celery:tasks") == 0)
        told = json.loads(bytes(seen.get(key) or b""))
        assert told["status"] == "SUCCESS"
        ended = follow(client, [sent.id])
        faults.record(
            fault="API killed in a Celery task",
            injected=1,
            jobs=1,
            lost=ended.lost,
            duplicated=ended.duplicated + at_rest(client)["submitted"] - before - 1,
            recoveries_s=[recovery],
        )
