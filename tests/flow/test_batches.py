"""Batches through the real stack, with processes killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from typer.testing import CliRunner, Result

from wherry.client import batch_commands
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until

MODELS = model("embedding", max_batch_size=16, delay_s=0.03)

ENDPOINT = "/v2/models/embedding/infer"
LINES = 3000

APP = typer.Typer(pretty_exceptions_enable=False)
batch_commands.register(APP)

Wherry = Callable[..., Result]


def write_lines(path: Path, count: int, bad: int = -1) -> Path:
    with path.open("w") as file:
        for number in range(count):
            data = [f"text {number}"]
            tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": data}
            body: dict[str, Any] = {"inputs": [] if number == bad else [tensor]}
            line = {"custom_id": f"c{number}", "method": "POST", "url": ENDPOINT, "body": body}
            file.write(json.dumps(line) + "\n")
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("batches")
    models = folder / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_LEASE_TTL_S": "3", "WHERRY_SWEEP_EVERY_S": "1"}
    with Stack(models=models, data_dir=folder, flower=False, env=env) as stack:
        yield stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(base_url=stack.url, transport=transport, timeout=30) as client:
        yield client


@pytest.fixture
def wherry(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Wherry:
    monkeypatch.setenv("WHERRY_URL", stack.url)

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(APP, [str(a) for a in arguments], env={"COLUMNS": "120"})

    return call


def look(http: httpx.Client, batch_id: str) -> dict[str, Any]:
    """A batch, however long the API is away."""
    while True:
        try:
            answer = http.get(f"/v1/batches/{batch_id}")
        except httpx.RequestError:
            time.sleep(0.05)
            continue
        if answer.status_code == 200:
            batch: dict[str, Any] = answer.json()
            return batch
        assert answer.status_code == 503, answer.text
        time.sleep(0.05)


def until_done(http: httpx.Client, batch_id: str, done: int) -> dict[str, Any]:
    """A batch with that many lines answered, or at its end."""
    return until(
        lambda: look(http, batch_id),
        lambda batch: (
            batch["status"] == "completed" or batch["request_counts"]["completed"] >= done
        ),
    )


def kill(stack: Stack, name: str) -> None:
    pid = until(lambda: stack.children[name].pid)  # it may be about to be started again
    assert pid
    os.kill(pid, signal.SIGKILL)


def create(http: httpx.Client, path: Path) -> str:
    with path.open("rb") as file:
        sent = http.post("/v1/files", data={"purpose": "batch"}, files={"file": file}).json()
    body = {"input_file_id": sent["id"], "endpoint": ENDPOINT, "completion_window": "24h"}
    return str(http.post("/v1/batches", json=body).json()["id"])


def check(http: httpx.Client, batch: dict[str, Any], count: int) -> None:
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": count, "completed": count, "failed": 0}
    content = http.get(f"/v1/files/{batch['output_file_id']}/content").content
    names = [json.loads(line)["custom_id"] for line in content.splitlines()]
    assert names == [f"c{n}" for n in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["api", "worker-text"])
def test_a_batch_survives_kills(
    stack: Stack, http: httpx.Client, tmp_path: Path, victim: str
) -> None:
    batch_id = create(http, write_lines(tmp_path / "in.jsonl", LINES))
    # A child that ends again and again waits ever longer for its next start.
    for kills in (1, 2):
        batch = until_done(http, batch_id, kills * LINES // 4)
        assert batch["status"] == "in_progress", "it was too quick to be killed"
        kill(stack, victim)
    check(http, until_done(http, batch_id, LINES + 1), LINES)


@pytest.mark.slow
def test_a_batch_survives_redis(stack: Stack, http: httpx.Client, tmp_path: Path) -> None:
    batch_id = create(http, write_lines(tmp_path / "in.jsonl", LINES))
    batch = until_done(http, batch_id, LINES // 4)
    assert batch["status"] == "in_progress"
    assert stack.redis is not None
    os.kill(stack.redis.pid, signal.SIGKILL)
    check(http, until_done(http, batch_id, LINES + 1), LINES)


def test_the_commands_send_a_batch_and_fetch_its_answers(wherry: Wherry, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", 200, bad=7)
    options = ("--meta", "for=a test", "--keep", "2h", "--wait", "--json")
    sent = wherry("batch", "submit", path, *options)
    assert sent.exit_code == 1, "a line failed"
    batch = json.loads(sent.stdout)
    assert batch["metadata"] == {"for": "a test"}
    assert batch["output_expires_after"] == {"anchor": "created_at", "seconds": 7200}
    assert batch["request_counts"] == {"total": 200, "completed": 199, "failed": 1}
    out, errors = tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
    assert wherry("batch", "result", batch["id"], "--out", out, "--errors", errors).exit_code == 1
    names = [json.loads(line)["custom_id"] for line in out.read_text().splitlines()]
    assert names == [f"c{n}" for n in range(200) if n != 7]
    assert json.loads(errors.read_text())["custom_id"] == "c7"
    printed = wherry("batch", "result", batch["id"])
    assert printed.stdout_bytes == out.read_bytes()
    shown = wherry("batch", "status", batch["id"])
    assert batch["id"] in shown.stdout
    date, clock = time.strftime("%Y-%m-%d %H:%M", time.gmtime(batch["output_expires_at"])).split()
    assert date in shown.stdout
    assert clock in shown.stdout, "below the date in 80 columns"
    assert "completed" in shown.stdout
    listed = [json.loads(x) for x in wherry("batch", "list", "--json").stdout.splitlines()]
    assert listed[0]["id"] == batch["id"]


def test_a_batch_is_cancelled_by_command(wherry: Wherry, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", 2000)
    batch = json.loads(wherry("batch", "submit", path, "--json").stdout)
    assert wherry("batch", "cancel", batch["id"]).exit_code == 0
    ended = wherry("batch", "status", batch["id"], "--wait", "--json")
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["status"] == "cancelled"
    again = wherry("batch", "cancel", batch["id"])
    assert again.exit_code == 1
    assert "nothing to cancel" in again.stderr


def test_what_is_wrong_is_one_line(wherry: Wherry, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("{}\n")
    assert wherry("batch", "submit", path).exit_code == 2
    done = wherry("batch", "submit", path, "--endpoint", ENDPOINT, "--wait")
    assert done.exit_code == 1
    assert "line 1: custom_id" in done.stderr
    assert wherry("batch", "submit", path, "--keep", "soon").exit_code == 2
    short = wherry("batch", "submit", path, "--endpoint", ENDPOINT, "--keep", "1m")
    assert short.exit_code == 2
    assert "--keep" in short.stderr
    unknown = wherry("batch", "status", "batch_none")
    assert unknown.exit_code == 1
    assert "no batch" in unknown.stderr


@pytest.mark.slow
def test_what_has_expired_is_swept_by_a_worker_after_a_restart(
    stack: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    batch_id = create(http, write_lines(tmp_path / "in.jsonl", 3))
    batch = until_done(http, batch_id, 4)
    names = [batch["input_file_id"], batch["output_file_id"], batch_id]
    blobs = [path for path in stack.data_dir.rglob("*") if any(n in path.name for n in names)]
    assert len(blobs) >= 2
    assert stack.redis is not None
    os.kill(stack.redis.pid, signal.SIGTERM)
    kill(stack, "worker-text")
    retry = Retry(ExponentialBackoff(), 20)
    with Redis.from_url(stack.redis_url, retry=retry) as redis:  # time is moved on
        for kind, name in zip(("file", "file", "batch"), names, strict=True):
            assert redis.zadd(f"wherry:expiring:{kind}", {name: 1}, xx=True, ch=True)
    until(lambda: not any(path.exists() for path in blobs))
    until(lambda: status(http, f"/v1/batches/{batch_id}") == 404)
    for name in names[:2]:
        assert status(http, f"/v1/files/{name}/content") == 404


def status(http: httpx.Client, path: str) -> int:
    return http.get(path).status_code
