"""What other servers of OpenAI's form take beside its own words, by the real `openai` client."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.multimodal.multimodal_embedding import (
    MultimodalEmbeddingInput,
    MultimodalEmbeddingOutput,
)
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.generation import GenerationOutput

from .conftest import Environment
from .test_openai import PACKAGE

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

MODELS = ["audio-text-to-text", "chat", "embedding", "multimodal-embedding"]
PAGE = "https://app.example.org"

Saw = dict[str, Any]
CHECKS: dict[str, Callable[[Any, Client, Path], None]] = {}


def check(call: str) -> Callable[[Any], Any]:
    """Hold what a call saw against what our own client reads."""

    def keep(function: Any) -> Any:
        CHECKS[call] = function
        return function

    return keep


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Which a page of one other origin may call."""
    folder = tmp_path_factory.mktemp("words")
    models = write_samples(folder / "samples", MODELS)
    env = {"WHERRY_CORS_ORIGINS": PAGE}
    with Stack(models=models, data_dir=folder, flower=False, env=env) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(fleet: Stack) -> Iterator[Client]:
    with Client(fleet.url) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture and a sound whose base64 is padded."""
    folder = tmp_path_factory.mktemp("openai-words")
    random = np.random.default_rng(0)
    for width in range(32, 64):
        with io.BytesIO() as file:
            pixels = random.integers(0, 255, (32, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "PNG")
            if len(file.getvalue()) % 3:
                (folder / "image.png").write_bytes(file.getvalue())
                break
    with wave.open(str(folder / "speech.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(random.normal(0, 3000, 16_000).astype("<i2").tobytes())
    return folder


@pytest.fixture(scope="module")
def seen(
    environment: Environment, drive: Callable[..., list[Saw]], fleet: Stack, folder: Path
) -> dict[str, Saw]:
    python = environment("openai", PACKAGE)
    lines = drive(python, "openai_words_client.py", fleet.url, folder, PAGE)
    return {line["call"]: line for line in lines}


@check("chat.completions.create, typical_p")
def _(saw: Any, client: Client, folder: Path) -> None:
    question = {"role": "user", "content": "What is the capital of France?"}
    drawn = {"do_sample": True, "seed": 7, "temperature": 1.5, "max_new_tokens": 12}
    texts = []
    for word in ({"typical_p": 0.2}, {}):
        given = ChatInput.validated({"messages": [[question]], **drawn, **word})
        output = client.infer("chat", given, 60)
        assert isinstance(output, GenerationOutput)
        texts.append(output.generations[0].text)
    assert saw == texts
    assert len(set(texts)) == 2


@check("embeddings.create, base64 with line breaks, blanks, no padding")
def _(saw: Any, client: Client, folder: Path) -> None:
    given = MultimodalEmbeddingInput(images=[(folder / "image.png").read_bytes()])
    output = client.infer("multimodal-embedding", given, 60)
    assert isinstance(output, MultimodalEmbeddingOutput)
    assert len(saw) == 4
    for how, vector in saw.items():
        assert vector == pytest.approx(output.embeddings[0], abs=1e-5), how


@check("chat.completions.create, input_audio with line breaks, blanks, no padding")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert len(saw) == 4
    assert len(set(saw.values())) == 1


@check("embeddings.create, after a BOM")
def _(saw: Any, client: Client, folder: Path) -> None:
    marked, plain = saw
    assert marked == pytest.approx(plain, abs=1e-5)


@check("batches, a file after a BOM")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw == ["completed", {"total": 3, "completed": 3, "failed": 0}]


@check("models.list, models.retrieve by HEAD")
def _(saw: Any, client: Client, folder: Path) -> None:
    heads, lengths = saw
    assert [status for status, *_ in heads] == [200] * 4
    assert heads[0] == heads[1]
    assert heads[2] == heads[3]
    assert [length > 0 for length in lengths] == [True, False] * 2


@check("from a page of another origin (CORS)")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["preflight"] == [200, PAGE]
    for header in ("authorization", "content-type", "x-stainless-lang"):
        assert header in saw["headers"]
    assert saw["stream"] == PAGE
    assert saw["other"] is None


@pytest.mark.parametrize(
    "call", [pytest.param(c, marks=pytest.mark.call(PACKAGE, c)) for c in sorted(CHECKS)]
)
def test_the_call_works(call: str, seen: dict[str, Saw], client: Client, folder: Path) -> None:
    assert not seen[call]["failed"]
    CHECKS[call](seen[call]["saw"], client, folder)


def test_every_call_is_checked(seen: dict[str, Saw]) -> None:
    assert set(seen) == set(CHECKS)
