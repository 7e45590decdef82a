"""Clients of Triton that ask for a model's configuration first, unchanged, over HTTP and gRPC.

Their decoupled ones can say neither how long a text is to be nor anything else, and a real model
would write for minutes: the stub writes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack

from ..support.models import model
from .conftest import Environment
from .test_oip import PROMPTS, TEXTS, ours, same

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

PYTRITON, TRITONY = "nvidia-pytriton==0.7.0", "tritony==0.0.23"
ANALYZER = "triton-model-analyzer==1.58.0"

#: Package -> its driver.
SCRIPTS = {
    PYTRITON: "oip_pytriton_client.py",
    TRITONY: "oip_tritony_client.py",
    ANALYZER: "oip_model_analyzer_client.py",
}

_ARITHMETIC = "package:wherry.samples/weights/arithmetic"
MODELS = (
    model("tensor", backend="onnxruntime", source=_ARITHMETIC, max_batch_size=8)
    + model("embedding", max_batch_size=8)
    + model("text-generation", max_batch_size=8)
)

Saw = dict[str, Any]
Check = Callable[[Any, Client], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the drivers of OIP's clients find beside them."""
    folder = tmp_path_factory.mktemp("triton-inputs")
    (folder / "image.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A few models that answer at once."""
    folder = tmp_path_factory.mktemp("triton-stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    with Stack(models=models, data_dir=folder / "data", flower=False, grpc_port=0) as stack:
        yield stack


@pytest.fixture
def ask(stack: Stack) -> Iterator[Client]:
    """Our own client."""
    with Client(stack.url) as client:
        yield client


@pytest.fixture(scope="module")
def seen(
    environment: Environment, drive: Callable[..., list[Saw]], stack: Stack, folder: Path
) -> Callable[[str], dict[str, Saw]]:
    """What each client saw, by its package."""
    found: dict[str, dict[str, Saw]] = {}

    def run(package: str) -> dict[str, Saw]:
        if package not in found:
            python = environment(package.split("==")[0], package)
            lines = drive(python, SCRIPTS[package], stack.url, stack.grpc_url, folder)
            found[package] = {line["call"]: line for line in lines}
        return found[package]

    return run


def embeds(saw: Any, client: Client) -> None:
    same(saw, ours(client, "embedding", {"texts": TEXTS}), {"embedding"})


def doubles(saw: Any, client: Client) -> None:
    assert saw == {"double": [[2, 4, 8], [6, 0, 2]], "sum": [7, 4]}


def doubles_many(saw: Any, client: Client) -> None:
    assert saw == [[7 + 3 * number, 4 + 3 * number] for number in range(24)]


def doubles_a_sample(saw: Any, client: Client) -> None:
    assert saw == {"double": [2, 4, 8], "sum": 7}


def doubles_in_parts(saw: Any, client: Client) -> None:
    numbers = np.arange(60).reshape(20, 3)
    assert saw == {"double": (2 * numbers).tolist(), "sum": numbers.sum(axis=1).tolist()}


def knows_the_model(saw: Any, client: Client) -> None:
    assert saw == [True, 8, False]


def analyzes(saw: Any, client: Client) -> None:
    assert saw == [8, False, "Enabled"]


def reloads(saw: Any, client: Client) -> None:
    assert saw == [None, None]


def writes_whole(saw: Any, client: Client) -> None:
    given = {"texts": PROMPTS}
    assert len(saw) == 1
    same(saw[0], ours(client, "text-generation", given), {"text"})


CHECKS: dict[str, dict[str, Check]] = {
    PYTRITON: {
        **{
            f"{over}: {call}": check
            for over in ("http", "grpc")
            for call, check in (
                ("ModelClient.infer_batch", doubles),
                ("ModelClient.infer_batch, texts", embeds),
                ("ModelClient.infer_sample", doubles_a_sample),
                ("ModelClient.model_config", knows_the_model),
                ("AsyncioModelClient.infer_batch", doubles_many),
            )
        },
        "http: FuturesModelClient.infer_batch": doubles_many,
        "grpc: DecoupledModelClient.infer_batch": writes_whole,
        "grpc: AsyncioDecoupledModelClient.infer_batch": writes_whole,
    },
    TRITONY: {
        f"{over}: InferenceClient, more rows than a batch": doubles_in_parts
        for over in ("http", "grpc")
    },
    ANALYZER: {
        f"{over}: remote mode: {call}": check
        for over in ("http", "grpc")
        for call, check in (
            ("reads a configuration", analyzes),
            ("unloads and loads a model", reloads),
        )
    },
}


@pytest.mark.parametrize(
    ("package", "call"),
    [
        pytest.param(package, call, marks=pytest.mark.call(package, call))
        for package, calls in CHECKS.items()
        for call in sorted(calls)
    ],
)
def test_the_call_works(
    package: str, call: str, seen: Callable[[str], dict[str, Saw]], ask: Client
) -> None:
    saw = seen(package)[call]
    assert not saw["failed"], saw["failed"]
    CHECKS[package][call](saw["saw"], ask)


@pytest.mark.parametrize("package", CHECKS)
def test_every_call_is_checked(package: str, seen: Callable[[str], dict[str, Saw]]) -> None:
    assert set(seen(package)) == set(CHECKS[package])
