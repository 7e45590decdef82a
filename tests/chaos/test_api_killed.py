"""The API is killed between any two steps of submit: a retry with the same name is one job."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from wherry.client import Client
from wherry.ops.redis_server import RedisServer, free_port
from wherry.ops.services import api_command
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until
from .flock import at_rest, follow
from .ledger import Ledger
from .wire import Place, Wire, named, runs

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

MODELS = model("embedding")

#: Bytes of a text: in the script's arguments, in a SET ahead of it, in the blob store before both.
SIZES = {"small": 10, "sent ahead": 80_000, "blob": 300_000}

#: Where the API dies: nothing is written but a blob; the payload without its job; the job, and
#: nobody told; as the reply comes.
DEATHS = {
    "before all": (lambda command: named("SET")(command) or runs("submit")(command), Place.BEFORE),
    "before submit": (runs("submit"), Place.BEFORE),
    "after submit": (runs("submit"), Place.AFTER),
    "in the reply": (runs("submit"), Place.MIDDLE),
}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, Wire(server.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def stack(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    # The line is the victims' alone.
    direct = f"redis://127.0.0.1:{wire.target}/0"
    env = {"WHERRY_INLINE_MAX_BYTES": "200000"}
    with Stack(models=models, data_dir=folder, redis_url=direct, flower=False, env=env) as stack:
        yield stack


class Victim:
    """An API process that is started again whenever it was killed."""

    def __init__(self, stack: Stack, wire: Wire) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            "WHERRY_REDIS_URL": wire.url,
            "WHERRY_MODELS": str(stack.models),
            "WHERRY_STORE_DIR": str(stack.data_dir / "blobs"),
            "WHERRY_INLINE_MAX_BYTES": "200000",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Start it, if it does not run."""
        if self.process is None:
            self.process = subprocess.Popen(api_command(self.port), env=self._env)
            until(self._answers, bool, 60)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/v2/health/live", timeout=1).status_code == 200
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def victim(stack: Stack, wire: Wire) -> Iterator[Victim]:
    victim = Victim(stack, wire)
    yield victim
    victim.kill()


def by_id(name: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"id": name}, {}


def by_key(name: str) -> tuple[dict[str, str], dict[str, str]]:
    return {}, {"Idempotency-Key": name}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("death", DEATHS)
def test_the_retry_is_one_job(
    stack: Stack,
    victim: Victim,
    wire: Wire,
    faults: Ledger,
    full: bool,
    size: str,
    death: str,
) -> None:
    if size == "blob" and death == "before submit":
        pytest.skip("the same as before all: the blob is there, its job is not")
    if not full and list(DEATHS).index(death) % 3 != list(SIZES).index(size):
        pytest.skip("in the full form")
    wanted, place = DEATHS[death]
    recoveries: list[float] = []
    for turn in range(2 if full else 1):
        ways = (by_id, by_key)
        for named_by in ways if full else (ways[list(DEATHS).index(death) % 2],):
            name = f"{size} {death} {named_by.__name__} {turn}"
            _one_job(stack, victim, wire, name, named_by, SIZES[size], (wanted, place), recoveries)
    faults.record(
        fault="API killed in submit",
        injected=len(recoveries),
        jobs=len(recoveries),
        lost=0,
        duplicated=0,
        recoveries_s=recoveries,
    )


def _one_job(
    stack: Stack,
    victim: Victim,
    wire: Wire,
    name: str,
    named_by: Callable[[str], tuple[dict[str, str], dict[str, str]]],
    size: int,
    death: tuple[Callable[[list[bytes]], bool], Place],
    recoveries: list[float],
) -> None:
    body, headers = named_by(name)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [name.ljust(size, "x")]}
    path = f"{victim.url}/v2/models/embedding/jobs"

    def ask() -> httpx.Response:
        return httpx.post(path, json={**body, "inputs": [tensor]}, headers=headers, timeout=30)

    victim.up()
    with Client(stack.url) as client:
        before = at_rest(client)["submitted"]
        died = wire.break_at(*death, meanwhile=victim.kill)
        with pytest.raises(httpx.HTTPError):
            ask()
        assert died.wait(10)
        path = path.replace(victim.url, stack.url)  # the next API is up, as it would be
        began = time.monotonic()
        answers = [ask() for _ in range(2)]
        recoveries.append(time.monotonic() - began)
        assert {answer.status_code for answer in answers} <= {200, 202}, answers[0].text
        [job_id] = {answer.json()["id"] for answer in answers}
        assert follow(client, [job_id]).lost == 0
        assert at_rest(client)["submitted"] == before + 1
