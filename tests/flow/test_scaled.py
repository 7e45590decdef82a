"""A real fleet that begins with no worker; the test is KEDA, which asks, and Kubernetes, which
starts and ends the workers that are wanted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import typer
from typer.testing import CliRunner

from wherry.client import scaling_command
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, worker_command
from wherry.workers.pod_cost import ANNOTATION

from ..support.holding import held
from ..support.keda import Keda
from ..support.kubernetes import POD, Kubernetes
from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.slow

MODELS = model("image-classification", max_batch_size=1, hold="HOLD")
ASK = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]}]}

#: Nothing lasts, so that no test waits: what is wanted is what is there.
METADATA = {"family": "vision", "scaleDownSeconds": "1", "startSeconds": "0"}


class Fleet:
    """Redis and the API, and workers as they are asked for."""

    def __init__(self, folder: Path, server: RedisServer, kubernetes: Kubernetes) -> None:
        self.hold = folder / "hold"
        (folder / "models.toml").write_text(MODELS.replace("HOLD", str(self.hold)))
        self.env = {
            **os.environ,
            "WHERRY_REDIS_URL": server.url,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_DIR": str(folder / "blobs"),
            "WHERRY_GRPC_PORT": str(free_port()),
            "WHERRY_SCALE_TO_ZERO": "*",
            "WHERRY_POD_NAME": POD,
            "WHERRY_POD_CREDENTIALS": str(kubernetes.credentials),
            **kubernetes.environment,
        }
        self.port, self.started = free_port(), 0
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = self._child("api", api_command(self.port))
        self.workers: list[Child] = []

    def _child(self, name: str, command: list[str]) -> Child:
        child = Child(name, command, env=self.env, on_line=lambda _: None)
        child.start(wait=False)
        return child

    def add(self) -> Child:
        """Start a worker, as Kubernetes does."""
        self.workers.append(
            self._child(f"worker-{self.started}", worker_command("vision", self.started))
        )
        self.started += 1
        return self.workers[-1]

    def end(self, worker: Child) -> None:
        """SIGTERM, and wait for its end, as Kubernetes does."""
        worker.begin_stop()
        worker.stop(30)
        self.workers.remove(worker)

    def stop(self) -> None:
        for child in (*self.workers, self.api):
            child.begin_stop()
        for child in (*self.workers, self.api):
            child.stop(30)


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    kubernetes = Kubernetes(tmp_path_factory.mktemp("kubernetes"))
    yield kubernetes
    kubernetes.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kubernetes: Kubernetes) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("scaled")
    with RedisServer(folder / "redis") as server:
        fleet = Fleet(folder, server, kubernetes)
        try:
            with httpx.Client(base_url=fleet.url) as http:
                until(lambda: answered(http, "/v2/health/ready"))
            yield fleet
        finally:
            fleet.stop()


def answered(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def http(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.url, timeout=60) as client:
        yield client


@pytest.fixture
def keda(fleet: Fleet, tmp_path: Path) -> Iterator[Keda]:
    with grpc.insecure_channel(f"127.0.0.1:{fleet.env['WHERRY_GRPC_PORT']}") as channel:
        yield Keda(tmp_path, channel, **METADATA)


def submit(http: httpx.Client) -> str:
    answer = http.post("/v2/models/image-classification/jobs", json=ASK)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(http: httpx.Client, job_id: str) -> str:
    return str(http.get(f"/v2/jobs/{job_id}").json()["status"])


def ready(http: httpx.Client) -> list[str]:
    workers = http.get("/v2/queues").json()["workers"]
    return [each["id"] for each in workers if each["alive"] and each["state"] == "ready"]


def scaling(http: httpx.Client) -> Any:
    [found] = http.get("/v2/scaling").json()["families"]
    return found


def test_from_zero_to_what_is_wanted_and_back(
    fleet: Fleet, http: httpx.Client, keda: Keda, kubernetes: Kubernetes
) -> None:
    stream = keda.stream()
    assert next(stream).result is False
    assert http.get("/v2/models/image-classification/ready").is_success
    first = submit(http)
    assert next(stream).result is True
    assert (keda.active, keda.value()) == (True, 1)
    assert state(http, first) == "queued"
    told = shown(fleet)
    assert (told["workers"], told["desired_workers"]) == (0, 1)
    assert not told["models"][0]["known"]

    workers = [fleet.add(), fleet.add()]
    until(lambda: state(http, first), "succeeded".__eq__)
    until(lambda: scaling(http)["workers"], (2).__eq__)
    until(lambda: len(ready(http)), (2).__eq__)
    until(lambda: kubernetes.annotations().get(ANNOTATION), "0".__eq__)
    with held(fleet.hold) as let_go:
        job_ids = [submit(http) for _ in range(8)]
        until(lambda: scaling(http)["busy_workers"], (2).__eq__)
        # Each runs something: neither is taken, however little there is left to do.
        assert keda.value() == 2
        workers[1].begin_stop()
        let_go()
        fleet.end(workers[1])
    until(lambda: [state(http, i) for i in job_ids], lambda found: set(found) == {"succeeded"})
    assert next(stream).result is False
    assert (keda.active, keda.value()) == (False, 0)
    stream.cancel()
    fleet.end(workers[0])

    with httpx.Client(base_url=fleet.url) as again:  # nobody is there, and all is well
        assert again.get("/v2/health/ready").is_success
        assert shown(fleet)["workers"] == 0


def shown(fleet: Fleet) -> Any:
    """What the command says, as JSON; it can be read by people, too."""
    app = typer.Typer()
    scaling_command.register(app)
    people = CliRunner().invoke(app, ["--url", fleet.url])
    assert people.exit_code == 0, people.output
    assert "vision" in people.output
    told = CliRunner().invoke(app, ["--url", fleet.url, "--json"])
    [family] = json.loads(told.stdout)["families"]
    assert str(family["desired_workers"]) in people.output
    return family
