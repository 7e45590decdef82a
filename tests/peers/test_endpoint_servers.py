"""Other systems' servers behind our queue: `backend = "endpoint"`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

import httpx
import pytest

from wherry.client import Client
from wherry.ops.redis_server import free_port
from wherry.ops.stack import Stack
from wherry.protocol.errors import RowError, WherryError
from wherry.tasks.text.text_classification import (
    TextClassificationInput,
    TextClassificationOutput,
)

from ..support.models import model
from ..support.waiting import until
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]


class Server(NamedTuple):
    http: str
    grpc: str


@contextmanager
def served(python: Path, folder: Path, ports: dict[str, int], **env: str) -> Iterator[Popen[bytes]]:
    """MLServer with one model, ready."""
    settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    metadata = {
        "name": "lengths",
        "implementation": "endpoint_mlserver_model.Lengths",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}],
    }
    (folder / "model-settings.json").write_text(json.dumps(metadata))
    start = ("-c", "from mlserver.cli import main; main()", "start", str(folder))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), **env}
    with (folder / "log").open("a") as log:
        process = Popen([python, *start], stdout=log, stderr=log, env=env)
        try:
            url = f"http://127.0.0.1:{ports['http_port']}"
            until(lambda: process.poll() is not None or is_ready(url), timeout_s=120)
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            yield process
        finally:
            process.terminate()
            process.wait()


def free_ports() -> dict[str, int]:
    return {f"{kind}_port": free_port() for kind in ("http", "grpc", "metrics")}


@pytest.fixture(scope="module")
def python(environment: Environment) -> Path:
    """That of an environment which holds MLServer."""
    return environment("mlserver", "mlserver==1.7.1")


@pytest.fixture(scope="module")
def mlserver(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ports = free_ports()
    with served(python, tmp_path_factory.mktemp("mlserver-models"), ports):
        yield Server(*(f"http://127.0.0.1:{ports[f'{kind}_port']}" for kind in ("http", "grpc")))


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/models/lengths/ready").status_code == 200
    except httpx.TransportError:
        return False


def declared(protocol: str, source: str, *, rows_per_request: int = 0) -> str:
    return model(
        protocol,
        "text-classification",
        backend="endpoint",
        source=source,
        protocol=protocol,
        model="lengths",
        names={"label": "LABELS"},
        rows_per_request=rows_per_request,
    ).replace('{"label": "LABELS"}', '{ label = "LABELS" }')


@contextmanager
def fleet(folder: Path, *models: str) -> Iterator[Stack]:
    """One that may ask servers on this machine."""
    (folder / "models.toml").write_text("".join(models))
    env = {
        "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
        "WHERRY_ENDPOINT_SCHEMES": "http",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False, env=env) as stack:
        assert not stack.failed_models
        yield stack


@pytest.fixture(scope="module")
def client(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("stack-before-mlserver")
    models = (declared("oip", mlserver.http), declared("oip-grpc", mlserver.grpc))
    with fleet(folder, *models) as stack, Client(stack.url) as client:
        yield client


@pytest.mark.parametrize("protocol", ["oip", "oip-grpc"])
def test_mlserver_answers_batches(client: Client, protocol: str) -> None:
    texts = ["kurz ü", "a text that is long", "模型"]
    answer = client.infer(protocol, TextClassificationInput(texts=texts), 60)
    assert isinstance(answer, TextClassificationOutput)
    assert [row[0].label for row in answer.results] == ["short", "long", "short"]
    assert [[result.score for result in row] for row in answer.results] == [[0.75, 0.25]] * 3


@pytest.mark.parametrize("protocol", ["oip", "oip-grpc"])
def test_a_row_that_mlserver_refuses_fails_alone(client: Client, protocol: str) -> None:
    asked = [TextClassificationInput(texts=[text]) for text in ("one", "REFUSE", "three")]
    answers = list(client.map(protocol, asked, return_errors=True))
    assert [isinstance(answer, WherryError) for answer in answers] == [False, True, False]
    assert isinstance(answers[1], RowError) or "REFUSE" in str(answers[1])
    assert "a text says REFUSE" in str(answers[1])


@pytest.mark.call("mlserver==1.7.1", "as an endpoint: 2,000 rows, 429s, two deaths")
def test_2000_rows_over_an_mlserver_that_says_429_and_dies_twice(
    python: Path, tmp_path: Path
) -> None:
    texts = [f"row {number}" + " is long" * (number % 3 == 0) for number in range(2000)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    log, out, ports = tmp_path / "answered", tmp_path / "out.jsonl", free_ports()
    ended: list[int] = []

    def live(*, dies_after: int) -> None:
        env = {"LENGTHS_BUSY_EVERY": "20", "LENGTHS_LOG": str(log)}
        with served(python, tmp_path, ports, **env, LENGTHS_DIES_AFTER=str(dies_after)) as process:
            ready.set()
            while process.poll() is None and not over.is_set():
                time.sleep(0.05)
            ended.append(process.poll() or 0)

    def lives() -> None:
        for dies_after in (60, 120, 0):
            live(dies_after=dies_after)

    over, ready = threading.Event(), threading.Event()
    server = threading.Thread(target=lives)
    server.start()
    try:
        ready.wait(120)
        source = f"http://127.0.0.1:{ports['http_port']}"
        with (
            fleet(tmp_path, declared("oip", source, rows_per_request=4)) as stack,
            Client(stack.url) as client,
        ):
            done = client.annotate(tmp_path / "rows.jsonl", model="oip", out=out)
    finally:
        over.set()
        server.join()
    assert ended == [1, 1, 0], "it died twice"
    assert (done.rows, done.failed) == (2000, 0)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["index"] for row in found] == list(range(2000)), "each once, in order"
    firsts = ["long" if len(text) > 10 else "short" for text in texts]
    assert [row["results"][0]["label"] for row in found] == firsts
    answered = Counter(json.loads(line) for line in log.read_text().splitlines())
    assert set(answered) == set(texts)
    # What was under way when it died was asked again, and nothing else was.
    assert sum(answered.values()) - len(texts) <= 2 * 64 * 4
