"""The real stack for tests: Redis, API, workers, on free ports, with the stub's models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack

from ..support.holding import held
from ..support.models import model
from ..support.nursery import Nursery

MODELS = (
    model("image-classification", max_batch_size=8, raise_on="RAISE", reject_on="REJECT")
    + model("slow", "image-classification", max_batch_size=4, delay_s=0.5, hold="HOLD")
    + model("object-detection")
    + model("embedding")
    + model("question-answering")
    + model("token-classification")
    + model("writer", "text-generation", max_batch_size=4, words=40, delay_per_token_s=0.02)
)


@pytest.fixture(scope="module", autouse=True)
def _forked(forked_stacks: None) -> None:
    """All fleets: how they start by themselves is tested in tests/ops/test_stack.py."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(folder / "hold")))
    env = {"WHERRY_LEASE_TTL_S": "5", "WHERRY_INLINE_MAX_BYTES": "20000"}
    with ExitStack() as closing:
        with nursery.starts_stacks():
            stack = Stack(models=models, data_dir=folder, flower=False, grpc_port=0, env=env)
            closing.enter_context(stack)
        yield stack


@pytest.fixture
def let_go(stack: Stack) -> Iterator[Callable[[], None]]:
    """Let the slow model answer: it answers nobody until this is called, or the test ends."""
    with held(stack.data_dir / "hold") as let_go:
        yield let_go


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client
