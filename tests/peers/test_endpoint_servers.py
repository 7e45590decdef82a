"""Other systems' servers behind our queue: `backend = "endpoint"`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
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


@pytest.fixture(scope="module")
def mlserver(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """MLServer with one model, in an environment of its own."""
    python = environment("mlserver", "mlserver==1.7.1")
    folder = tmp_path_factory.mktemp("mlserver-models")
    ports = {f"{kind}_port": free_port() for kind in ("http", "grpc", "metrics")}
    settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    metadata = {
        "name": "lengths",
        "implementation": "endpoint_mlserver_model.Lengths",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}],
    }
    (folder / "model-settings.json").write_text(json.dumps(metadata))
    command: list[str | Path] = [
        python,
        "-c",
        "from mlserver.cli import main; main()",
        "start",
        str(folder),
    ]
    server = Server(*(f"http://127.0.0.1:{ports[f'{kind}_port']}" for kind in ("http", "grpc")))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
        try:
            until(lambda: process.poll() is not None or is_ready(server.http), timeout_s=120)
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            yield server
        finally:
            process.terminate()
            process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/models/lengths/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(mlserver: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("stack-before-mlserver")
    (folder / "models.toml").write_text(
        "".join(
            model(
                protocol,
                "text-classification",
                backend="endpoint",
                source=source,
                protocol=protocol,
                model="lengths",
                names={"label": "LABELS"},
            ).replace('{"label": "LABELS"}', '{ label = "LABELS" }')
            for protocol, source in (("oip", mlserver.http), ("oip-grpc", mlserver.grpc))
        )
    )
    env = {
        "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
        "WHERRY_ENDPOINT_SCHEMES": "http",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    with (
        Stack(models=folder / "models.toml", data_dir=folder, flower=False, env=env) as stack,
        Client(stack.url) as client,
    ):
        assert not stack.failed_models
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
