"""Families on a Redis of their own, with every process real: served, lost, moved."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery
from celery.exceptions import TaskRevokedError
from PIL import Image

from wherry.client import Client
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, worker_command
from wherry.ops.stack import Stack
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput

from ..api.batch_calls import create, ended, jsonl, line, lines_of
from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.slow

MODELS = (
    model("image-classification", max_batch_size=8)
    + model("embedding", max_batch_size=16)
    + model("writer", "text-generation", max_batch_size=4, words=20, delay_per_token_s=0.01)
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of text. Nothing that it answered is lost when it is killed."""
    with RedisServer(tmp_path_factory.mktemp("own"), appendfsync="always") as server:
        yield server


@pytest.fixture(scope="module")
def fleet(own: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("fleet")
    models = folder / "models.toml"
    models.write_text(MODELS)
    env = {
        "WHERRY_FAMILY_REDIS": f"text={own.url}",
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_RUN_PLACES": str(folder) + "/",
    }
    with Stack(models=models, data_dir=folder, flower=False, run_workers=1, env=env) as stack:
        yield stack


@pytest.fixture
def http(fleet: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.url, timeout=60) as client:
        yield client


def photograph() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


def image(**fields: Any) -> dict[str, Any]:
    data = base64.b64encode(photograph()).decode()
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [data]}
    return {"inputs": [{**tensor, "parameters": {"content_type": "base64"}}], **fields}


def text(**fields: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a text"]}
    return {"inputs": [tensor], **fields}


def of_fleet(server: RedisServer) -> int:
    """Jobs that a Redis knows."""
    with redis.Redis.from_url(server.url) as connection:
        return len(list(connection.scan_iter("wherry:job:*", count=1000)))


def test_each_family_is_served_where_it_is(fleet: Stack, own: RedisServer) -> None:
    client, before = Client(fleet.url), of_fleet(own)
    inputs = (EmbeddingInput(texts=[f"text {n}"]) for n in range(100))
    assert len(list(client.map("embedding", inputs))) == 100
    assert of_fleet(own) >= before + 100
    assert httpx.post(f"{fleet.url}/v2/models/image-classification/infer", json=image()).is_success
    with redis.Redis.from_url(fleet.redis_url) as home:
        assert not list(home.scan_iter("wherry:*embedding*"))
        assert not list(home.scan_iter("wherry:flow*:text*"))
    client.close()


def test_tokens_are_streamed_from_there(http: httpx.Client) -> None:
    asked = {"text_input": "hi", "parameters": {"max_new_tokens": 20}}
    with http.stream("POST", "/v2/models/writer/generate_stream", json=asked) as answer:
        pieces = [each for each in answer.iter_lines() if each.startswith("data:")]
    assert len(pieces) > 1


def test_a_file_batch_is_answered_by_it(http: httpx.Client) -> None:
    batch = ended(http, create(http, jsonl([line(n) for n in range(50)])))
    assert batch["request_counts"] == {"total": 50, "completed": 50, "failed": 0}
    assert len(lines_of(http, batch["output_file_id"])) == 50


def test_a_run_is_done_by_it(fleet: Stack, http: httpx.Client) -> None:
    rows = fleet.data_dir / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(60)))
    asked = {"model": "embedding", "source": str(rows)}
    answer = http.post("/v2/runs", json=asked)
    assert answer.is_success, answer.text
    run_id = answer.json()["id"]
    until(
        lambda: http.get(f"/v2/runs/{run_id}").json(),
        lambda run: run["state"] == "succeeded",
        timeout_s=30,
    )


def test_celery_tasks_reach_it_and_are_revoked_from_home(fleet: Stack, http: httpx.Client) -> None:
    asked = {"model": "embedding", "input": {"texts": ["a text"]}}
    workers = http.get("/v2/workers").json()["workers"]
    [node] = [each["node"] for each in workers if each["families"] == ["text"]]
    with Celery(broker=fleet.redis_url, backend=fleet.redis_url, set_as_current=False) as app:
        sent = app.send_task("wherry.submit", kwargs=asked, queue="wherry.submit")
        assert len(sent.get(timeout=60)["embeddings"]) == 1
        assert http.post(f"/v2/workers/{node}/drain").status_code == 202
        try:
            until(lambda: _state(http, node) == "draining")
            sent = app.send_task("wherry.submit", kwargs=asked, queue="wherry.submit")
            until(lambda: http.get(f"/v2/jobs/{sent.id}").status_code == 202)
            app.control.revoke(sent.id)
            with pytest.raises(TaskRevokedError):
                sent.get(timeout=60)
        finally:
            http.post(f"/v2/workers/{node}/undrain")
        until(lambda: _state(http, node) == "ready")
    assert http.get(f"/v2/jobs/{sent.id}").json()["status"] == "canceled"


def _state(http: httpx.Client, node: str) -> str:
    found: str = http.get(f"/v2/workers/{node}").json()["state"]
    return found


def test_a_worker_of_two_servers_is_refused(fleet: Stack) -> None:
    env = {
        **os.environ,
        "WHERRY_REDIS_URL": fleet.redis_url,
        "WHERRY_FAMILY_REDIS": fleet.env["WHERRY_FAMILY_REDIS"],
        "WHERRY_MODELS": str(fleet.models),
    }
    for command in (
        [sys.executable, "-m", "wherry.ops.cli", "worker", "vision", "text", "--device", "cpu"],
        [sys.executable, "-P", "-m", "wherry.workers", "worker", "-Q", "vision,text"],
    ):
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == os.EX_CONFIG
        assert "text and vision are on different Redis servers" in done.stderr


def test_killed_it_takes_its_family_alone_and_comes_back_with_all(
    fleet: Stack, own: RedisServer, http: httpx.Client
) -> None:
    taken: dict[str, list[str]] = {"text": [], "image": []}
    refused: dict[str, list[str]] = {"text": [], "image": []}
    stopped = threading.Event()

    def load(name: str, path: str, body: dict[str, Any]) -> None:
        with httpx.Client(base_url=fleet.url, timeout=60) as client:
            while not stopped.is_set():
                answer = client.post(path, json=body)
                if answer.status_code == 202:
                    taken[name].append(answer.json()["id"])
                else:
                    refused[name].append(f"{answer.status_code} {answer.text}")

    threads = [
        threading.Thread(target=load, args=("text", "/v2/models/embedding/jobs", text())),
        threading.Thread(
            target=load, args=("image", "/v2/models/image-classification/jobs", image())
        ),
    ]
    for thread in threads:
        thread.start()
    until(lambda: len(taken["text"]) > 50)
    own.kill()
    until(lambda: len(refused["text"]) > 5)
    images = len(taken["image"])
    until(lambda: len(taken["image"]) > images + 50)
    answer = http.post("/v2/models/image-classification/infer", json=image())
    assert answer.is_success
    own.start()
    texts = len(taken["text"])
    until(lambda: len(taken["text"]) > texts + 20)
    stopped.set()
    for thread in threads:
        thread.join()
    assert not refused["image"]
    assert all(why.startswith("503 ") for why in refused["text"])
    with Client(fleet.url) as client:
        for job_id in (*taken["text"], *taken["image"]):
            assert client.wait(job_id, timeout_s=60).status is JobState.SUCCEEDED

    def left() -> tuple[int, int]:
        """What was refused since its answer was lost is done as well."""
        totals = http.get("/v2/queues").json()["totals"]
        return totals["waiting"], totals["running"]

    until(left, lambda seen: seen == (0, 0))


class Processes:
    """An API and workers that are started by hand, as an operator starts them."""

    def __init__(self, folder: Path, home: str) -> None:
        self._env = {
            **os.environ,
            "WHERRY_REDIS_URL": home,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_DIR": str(folder / "blobs"),
            "WHERRY_LEASE_TTL_S": "5",
        }
        self._stack = ExitStack()

    def api(self, **env: str) -> httpx.Client:
        port = free_port()
        self.run(api_command(port), env)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._stack.callback(client.close)
        until(lambda: _answers(client))
        return client

    def run(self, command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env={**self._env, **env})
        self._stack.callback(_end, process)
        return process

    def close(self) -> None:
        self._stack.close()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v2/health/live").is_success
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


@contextmanager
def processes(folder: Path, home: str) -> Iterator[Processes]:
    found = Processes(folder, home)
    try:
        yield found
    finally:
        found.close()


def test_a_family_moves_to_its_own_while_the_fleet_works(own: RedisServer, tmp_path: Path) -> None:
    """The steps of docs/sharding.md: no job is lost, none is refused."""
    (tmp_path / "models.toml").write_text(model("embedding", max_batch_size=4, delay_s=0.02))
    with (
        RedisServer(tmp_path / "home") as home,
        processes(tmp_path, home.url) as running,
        redis.Redis.from_url(own.url) as own_redis,
    ):
        own_redis.flushall()
        before = running.api()
        old_worker = running.run(worker_command("text", 0), {})
        moved = {"WHERRY_FAMILY_REDIS": f"text={own.url}"}
        path = "/v2/models/embedding/jobs"

        ids = [before.post(path, json=text(id=f"job-{n}")).json()["id"] for n in range(200)]
        running.run(worker_command("text", 1), moved)
        after = running.api(**moved)
        # Both APIs serve for a while; each job goes where the one that takes it says.
        for n in range(200, 300):
            answer = (before if n % 2 else after).post(path, json=text(id=f"job-{n}"))
            assert answer.status_code == 202, answer.text
            ids.append(answer.json()["id"])
        # Sent again, it is the same job, wherever that was taken.
        assert after.post(path, json=text(id="job-0")).json()["id"] == "job-0"
        other = text(id="job-1")
        other["inputs"][0]["data"] = ["another text"]
        assert after.post(path, json=other).status_code == 409

        def done() -> bool:
            told = after.post("/v2/jobs:status", json={"ids": ids[-300:]}).json()["jobs"]
            return all(each["status"] == "succeeded" for each in told)

        until(done, timeout_s=120)
        assert 200 <= of_fleet(home) < 300
        assert of_fleet(home) + of_fleet(own) == 300
        old_worker.terminate()
        assert old_worker.wait() == 0
        # What ended at home is read until its time is over.
        assert after.get("/v2/jobs/job-0/result").is_success
        assert after.post("/v2/models/embedding/infer", json=text()).is_success
