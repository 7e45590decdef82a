"""The real stack, a client of it, and a client of it behind a bad line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ..support.holding import held
from ..support.models import model
from ..support.nursery import Nursery
from .proxy import Proxy

MODELS = (
    model("image-classification", reject_on="REJECT")
    + model("slow", "image-classification", max_batch_size=1, delay_s=0.15, hold="HOLD")
    + model("embedding")
)

#: The stack's limit of a body: small, so that tests can pass it.
BODY_LIMIT = 1_000_000


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(folder / "hold")))
    env = {
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_INLINE_MAX_BYTES": "20000",
        "WHERRY_MAX_BODY_BYTES": str(BODY_LIMIT),
    }
    stack = Stack(
        models=models, data_dir=folder, flower=False, run_workers=1, concurrency=1, env=env
    )
    with ExitStack() as closing:
        with nursery.starts_stacks():
            closing.enter_context(stack)
        yield stack


@pytest.fixture
def let_go(stack: Stack) -> Iterator[Callable[[], None]]:
    """Let the slow model answer: it answers nobody until this is called, or the test ends."""
    with held(stack.data_dir / "hold") as let_go:
        yield let_go


# Clients and the proxy hold no state of a test, and each costs a TLS context to make.
@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client


@pytest.fixture(scope="session")
def line(stack: Stack) -> Iterator[Proxy]:
    with Proxy(stack.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(line: Proxy) -> Iterator[Proxy]:
    """The proxy, which hands on all requests and has seen none."""
    line.reset()
    yield line
    line.reset()


@pytest.fixture(scope="session")
def shaky(line: Proxy) -> Iterator[Client]:
    """A client behind the proxy."""
    with Client(line.url) as client:
        yield client


@pytest.fixture
def submitted(client: Client) -> Callable[[], int]:
    """How many jobs the fleet has ever taken."""

    def count() -> int:
        taken: int = client.get("/v2/queues")["totals"]["submitted"]
        return taken

    return count


def embed(*texts: str) -> EmbeddingInput:
    return EmbeddingInput(texts=list(texts))


def classify(*images: bytes) -> ImageClassificationInput:
    return ImageClassificationInput(images=list(images), top_k=1)


def vector(answer: object) -> list[float]:
    assert isinstance(answer, EmbeddingOutput), answer
    [only] = answer.embeddings
    return only
