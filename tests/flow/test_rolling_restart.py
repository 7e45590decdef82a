"""Every part of a fleet is restarted in turn, under load, and no request fails."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.fleet import view
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.services import api_command
from wherry.ops.stack import Stack

from ..support.balancer import Balancer
from ..support.models import model
from ..support.sentinels import MASTER, FailingOver
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODELS = model("embedding", max_batch_size=8, delay_s=0.02) + model(
    "busy", "embedding", max_batch_size=16, delay_per_row_s=0.003
)

ROWS = 20_000

#: Longer than the balancer takes to see that an API leaves.
ENV = {
    "WHERRY_DRAIN_DELAY_S": "2",
    "WHERRY_MIN_REPLICAS": "1",
    "WHERRY_LEASE_TTL_S": "5",
    "WHERRY_RUN_SEGMENT_S": "1",
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FailingOver]:
    with FailingOver(tmp_path / "cluster", replicas=2) as cluster:
        yield cluster


@pytest.fixture
def stack(cluster: FailingOver, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "models.toml").write_text(MODELS)
    with Stack(
        models=tmp_path / "models.toml",
        data_dir=tmp_path / "data",
        redis_url=cluster.url,
        workers_per_family=2,
        run_workers=2,
        env=ENV,
    ) as stack:
        yield stack


@pytest.fixture
def other_api(stack: Stack) -> Iterator[tuple[Child, int]]:
    """A second API of the same fleet."""
    port = free_port()
    env = {
        **os.environ,
        **ENV,
        "WHERRY_REDIS_URL": stack.redis_url,
        "WHERRY_MODELS": str(stack.models),
        "WHERRY_STORE_DIR": str(stack.data_dir / "blobs"),
        "WHERRY_RUN_PLACES": "local",
    }
    child = Child("api-1", api_command(port), env=env, on_line=print)
    child.start(wait=False)
    yield child, port
    child.stop()


class Load:
    """Clients that keep their connections, never try again, and count what was no answer."""

    def __init__(self, url: str) -> None:
        self.answered, self.failures = 0, list[str]()
        self._url, self._over = url, threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,))
            for one in (self._infer, self._infer, self._submit_and_wait, self._look)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, one: Callable[[httpx.Client, int], None]) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as http:
            number = 0
            while not self._over.wait(0.02):
                number += 1
                try:
                    one(http, number)
                    self.answered += 1
                except (httpx.HTTPError, AssertionError) as error:
                    self.failures.append(f"{time.monotonic():.2f} {one.__name__}: {error!r}")

    def _infer(self, http: httpx.Client, number: int) -> None:
        answer = http.post("/v2/models/embedding/infer", json=_asked(number))
        assert answer.status_code == 200, answer.text

    def _submit_and_wait(self, http: httpx.Client, number: int) -> None:
        asked = {"id": f"rolling-{number}", **_asked(number)}
        answer = http.post("/v2/models/embedding/jobs", json=asked)
        assert answer.status_code == 202, answer.text
        while answer.status_code == 202:
            answer = http.get(f"/v2/jobs/rolling-{number}/result?wait=20")
        assert answer.status_code == 200, answer.text

    def _look(self, http: httpx.Client, _: int) -> None:
        answer = http.get("/v2/queues")
        assert answer.status_code == 200, answer.text


def _asked(number: int) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [f"row {number}"]}
    return {"inputs": [tensor]}


def _is_up(queue: Queue, child: Child, before: int | None) -> bool:
    """Whether a worker's next process is at work."""
    workers = queue.run(view(JobsSettings())).workers
    alive = {w.info.get("pid") for w in workers if w.alive and w.info.get("state") != "loading"}
    return child.pid not in (None, before) and child.pid in alive


def _answers(url: str, child: Child, before: int | None) -> bool:
    if child.pid in (None, before):
        return False
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_no_request_fails(
    stack: Stack, cluster: FailingOver, other_api: tuple[Child, int], tmp_path: Path
) -> None:
    other, port = other_api
    source, queue = tmp_path / "rows.jsonl", Queue(stack.redis_url)
    with source.open("w") as rows:
        for number in range(ROWS):
            rows.write(json.dumps({"id": f"r{number}", "text": f"row {number}"}) + "\n")
    with Balancer([stack.port, port]) as balancer:
        until(lambda: len(balancer.ready()) == 2)
        url = f"http://127.0.0.1:{balancer.port}"
        client = Client(url)
        asked = {"model": "busy", "source": str(source), "format": "csv", "shard_rows": 2000}
        run_id = client.post("/v2/runs", asked)["id"]
        with Load(url) as load:

            def restarted(child: Child, back: Callable[[int | None], bool]) -> None:
                """Tell a part to end; its supervisor starts it again."""
                answered, before = load.answered, child.pid
                child.signal(signal.SIGTERM)
                until(lambda: back(before))
                until(lambda: len(balancer.ready()) == 2)
                until(lambda: load.answered > answered + 50)

            for child, at in ((stack.children["api"], stack.port), (other, port)):
                ready = f"http://127.0.0.1:{at}/v2/health/ready"
                restarted(child, partial(_answers, ready, child))
            for name, child in stack.children.items():
                if name.startswith("worker-"):
                    restarted(child, partial(_is_up, queue, child))
                elif name.startswith("runs"):
                    restarted(child, partial(_runs, child))
                elif name == "flower":
                    health = f"{stack.flower_url}/healthcheck"
                    restarted(child, partial(_answers, health, child))
            _restart_redis(cluster, load)
        finished = until(
            lambda: client.get(f"/v2/runs/{run_id}"),
            lambda run: run["state"] not in ("queued", "planning", "running", "merging"),
            timeout_s=300,
        )
        client.close()
    queue.close()
    print(f"{load.answered} answers, {len(load.failures)} failures")  # noqa: T201 # the figures
    assert load.failures == []
    assert (finished["state"], finished["rows"]["answered"]) == ("succeeded", ROWS)


def _runs(child: Child, before: int | None) -> bool:
    return child.pid not in (None, before)


def _restart_redis(cluster: FailingOver, load: Load) -> None:
    """Each replica; then one takes the primary's place, which is restarted last."""
    primary = cluster.primary
    for server in cluster.servers:
        if server is not primary:
            _restart(cluster, load, server)
    cluster.sentinels[0].client.execute_command("SENTINEL FAILOVER", MASTER, "COORDINATED")
    cluster.promoted(primary)
    until(cluster.in_step, timeout_s=90)
    _restart(cluster, load, primary)


def _restart(cluster: FailingOver, load: Load, server: Any) -> None:
    answered = load.answered
    server.signal(signal.SIGTERM)
    server.wait()
    server.start()
    until(cluster.in_step, timeout_s=90)
    until(lambda: load.answered > answered + 50)
