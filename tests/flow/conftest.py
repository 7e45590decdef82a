"""The real stack for tests: Redis, API, workers, on free ports, with the stub's models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack

MODELS = """
[[models]]
name = "image-classification"
task = "image-classification"
backend = "stub"
max_batch_size = 8
parameters = { raise_on = "RAISE", reject_on = "REJECT" }

[[models]]
name = "slow"
task = "image-classification"
backend = "stub"
max_batch_size = 4
parameters = { delay_s = 0.5, hold = "HOLD" }

[[models]]
name = "object-detection"
task = "object-detection"
backend = "stub"

[[models]]
name = "embedding"
task = "embedding"
backend = "stub"

[[models]]
name = "question-answering"
task = "question-answering"
backend = "stub"

[[models]]
name = "writer"
task = "text-generation"
backend = "stub"
max_batch_size = 4
parameters = { words = 40, delay_per_token_s = 0.02 }
"""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(folder / "hold")))
    env = {"WHERRY_LEASE_TTL_S": "5", "WHERRY_INLINE_MAX_BYTES": "20000"}
    with Stack(models=models, data_dir=folder, flower=False, grpc_port=0, env=env) as stack:
        yield stack


@pytest.fixture
def let_go(stack: Stack) -> Iterator[Callable[[], None]]:
    """Let the slow model answer: it answers nobody until this is called, or the test ends."""
    hold = stack.data_dir / "hold"
    hold.touch()
    release = partial(hold.unlink, missing_ok=True)
    yield release
    release()


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client
