"""The real `openai` client sends files and batches, and reads what came of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "openai==3.52.0"
LINES = 2000
NAMES = [f"c{n}" for n in range(LINES)]
CHECKS: dict[str, Callable[[Any, Client], None]] = {}


def check(call: str) -> Callable[[Any], Any]:
    """Hold what a call saw against what our own client reads."""

    def keep(function: Any) -> Any:
        CHECKS[call] = function
        return function

    return keep


@pytest.fixture(scope="module")
def seen(
    environment: Environment,
    drive: Callable[..., list[dict[str, Any]]],
    fleet: Stack,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("openai-batches")
    python = environment("openai", PACKAGE)
    lines = drive(python, "openai_batch_client.py", fleet.url, folder)
    return {line["call"]: line["saw"] for line in lines}


@check("files.create")
def _(saw: Any, client: Client) -> None:
    assert (saw["object"], saw["filename"]) == ("file", "many.jsonl")
    assert (saw["purpose"], saw["status"]) == ("batch", "processed")
    assert saw["bytes"] > LINES * 100
    assert saw["expires_at"] - saw["created_at"] == 7200


@check("files.retrieve")
def _(saw: Any, client: Client) -> None:
    assert saw["filename"] == "many.jsonl"


@check("files.content")
def _(saw: Any, client: Client) -> None:
    assert saw is True


@check("batches.create")
def _(saw: Any, client: Client) -> None:
    assert (saw["object"], saw["status"]) == ("batch", "validating")
    assert saw["endpoint"] == "/v2/models/embedding/infer"
    assert saw["completion_window"] == "24h"


def _vectors(client: Client, *texts: str) -> np.ndarray[Any, Any]:
    output = client.infer("embedding", EmbeddingInput(texts=list(texts)), 60)
    assert isinstance(output, EmbeddingOutput)
    return np.array(output.embeddings)


@check("batches.retrieve")
def _(saw: Any, client: Client) -> None:
    assert saw["status"] == "completed"
    assert {"validating", "in_progress", "completed"} >= {*saw["seen"]} - {"finalizing"}
    assert saw["counts"] == {"total": LINES, "completed": LINES, "failed": 0}
    assert saw["metadata"] == {"for": "a test"}
    assert saw["output"]["expires_at"] - saw["output"]["created_at"] == 7200
    assert (saw["names"], saw["codes"]) == (NAMES, [200])
    ours = _vectors(client, "text 0", "text 1")
    assert np.array(saw["vectors"]).reshape(2, -1) == pytest.approx(ours, abs=1e-5)


@check("batches, /v1/chat/completions")
def _(saw: Any, client: Client) -> None:
    messages = [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    given = ChatInput.validated({"messages": [messages], "max_new_tokens": 12})
    output = client.infer("chat", given, 60)
    assert isinstance(output, GenerationOutput)
    told = [answer["choices"][0]["message"]["content"] for answer in saw["answers"]]
    assert told == [output.generations[0].text] * 2


@check("batches, /v1/completions")
def _(saw: Any, client: Client) -> None:
    given = TextGenerationInput(texts=["The boat"], max_new_tokens=6)
    output = client.infer("text-generation", given, 60)
    assert isinstance(output, GenerationOutput)
    told = [answer["choices"][0]["text"] for answer in saw["answers"]]
    assert told == [output.generations[0].text] * 2


@check("batches, /v1/embeddings")
def _(saw: Any, client: Client) -> None:
    ours = _vectors(client, "text 0", "text 1")
    for answer in saw["answers"]:
        theirs = [one["embedding"] for one in answer["data"]]
        assert np.array(theirs) == pytest.approx(ours, abs=1e-5)


@check("batches, a file that is wrong")
def _(saw: Any, client: Client) -> None:
    assert saw["status"] == "failed"
    assert saw["errors"] == [
        [2, "duplicate_custom_id", "custom_id"],
        [3, "invalid_url", "url"],
    ]


@check("batches.cancel")
def _(saw: Any, client: Client) -> None:
    assert saw["first"] == "cancelling"


@check("batches.cancel, its end")
def _(saw: Any, client: Client) -> None:
    assert saw["status"] == "cancelled"
    assert saw["codes"] == ["batch_cancelled"]
    assert saw["names"] == sorted(NAMES)
    assert saw["counts"]["total"] == LINES


@check("batches.list")
def _(saw: Any, client: Client) -> None:
    assert saw["newest"]
    assert saw["old"] in saw["ids"]
    assert len(saw["ids"]) == len(set(saw["ids"])) >= 6


@check("files.list")
def _(saw: Any, client: Client) -> None:
    assert saw["known"] in saw["ids"]
    assert len(saw["ids"]) == len(set(saw["ids"])) >= 5


@check("files.delete")
def _(saw: Any, client: Client) -> None:
    assert saw == {"deleted": True, "after": "not_found"}


@pytest.mark.parametrize(
    "call", [pytest.param(c, marks=pytest.mark.call(PACKAGE, c)) for c in sorted(CHECKS)]
)
def test_a_call_of_the_client(call: str, seen: dict[str, Any], client: Client) -> None:
    CHECKS[call](seen[call], client)


def test_every_call_is_checked(seen: dict[str, Any]) -> None:
    assert set(seen) == set(CHECKS)
