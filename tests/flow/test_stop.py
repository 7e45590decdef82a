"""A text that a stop string ends: its tokens are its text on every surface, by a real model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from wherry.ops.stack import Stack
from wherry.samples.tiny import build

pytestmark = pytest.mark.slow  # torch loads twice: here to build the model, and in the worker

MODELS = """
[[models]]
name = "writer"
task = "text-generation"
backend = "transformers"
source = "{source}"

[[models]]
name = "chat"
task = "chat"
backend = "transformers"
source = "{source}"
"""

PROMPT, LENGTH = "the quick brown fox", 24
MESSAGES = [{"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS.format(source=build("chat", folder / "llama")))
    with (
        Stack(models=models, data_dir=folder, flower=False) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        yield client


def posted(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def events(http: httpx.Client, path: str, body: dict[str, Any]) -> list[Any]:
    answer = http.post(path, json={**body, "stream": True})
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if line.startswith("data")]
    return [json.loads(line.partition(":")[2]) for line in lines if "[DONE]" not in line]


def stops_of(text: str) -> list[list[str]]:
    """None; strings that begin within a token, are one, or take up several; and the very first."""
    middle = len(text) // 2
    return [[], [text[middle]], [text[middle : middle + 4]], [text[1:3], text[middle:]], [text[:2]]]


def own(names: list[str]) -> str:
    """The text of tokens: numbers stand for those that add nothing."""
    return "".join(name for name in names if not name.startswith("token_id:"))


def test_completions(http: httpx.Client) -> None:
    path = "/v1/completions"
    body = {"model": "writer", "prompt": PROMPT, "max_tokens": LENGTH, "logprobs": 2}
    [plain] = posted(http, path, body)["choices"]
    for stop in stops_of(plain["text"]):
        [choice] = posted(http, path, {**body, "stop": stop})["choices"]
        text, lists = choice["text"], choice["logprobs"] or {"tokens": [], "text_offset": []}
        assert text == min((plain["text"].partition(s)[0] for s in stop), default=plain["text"])
        assert own(lists["tokens"]) == text
        starts = zip(lists["text_offset"], lists["tokens"], strict=True)
        assert all(text[at:].startswith(own([name])) for at, name in starts)
        parts = [part["choices"][0] for part in events(http, path, {**body, "stop": stop})]
        assert "".join(part["text"] for part in parts) == text
        told = [part["logprobs"]["tokens"] for part in parts if part["logprobs"]]
        assert [name for names in told for name in names] == lists["tokens"]


def test_chat(http: httpx.Client) -> None:
    path = "/v1/chat/completions"
    body = {"model": "chat", "messages": MESSAGES, "max_tokens": LENGTH, "logprobs": True}
    [plain] = posted(http, path, body)["choices"]
    for stop in stops_of(plain["message"]["content"]):
        [choice] = posted(http, path, {**body, "stop": stop})["choices"]
        text, said = choice["message"]["content"], choice["logprobs"] or {"content": []}
        assert "".join(token["token"] for token in said["content"]) == text
        parts = [part["choices"][0] for part in events(http, path, {**body, "stop": stop})]
        assert "".join(part["delta"].get("content", "") for part in parts) == text
        told = [part["logprobs"]["content"] for part in parts if part["logprobs"]]
        assert [token for tokens in told for token in tokens] == said["content"]


def test_oip(http: httpx.Client) -> None:
    def asked(stop: list[str]) -> dict[str, str]:
        text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [PROMPT]}
        settings = {"max_new_tokens": LENGTH, "logprobs": 0, "stop": stop}
        body = {"inputs": [text], "parameters": settings}
        outputs = posted(http, "/v2/models/writer/infer", body)["outputs"]
        return {tensor["name"]: tensor["data"][0] for tensor in outputs}

    for stop in stops_of(asked([])["text"]):
        found = asked(stop)
        assert "".join(token["text"] for token in json.loads(found["tokens"])) == found["text"]


def test_hugging_faces_details(http: httpx.Client) -> None:
    def asked(stop: list[str]) -> dict[str, Any]:
        settings = {"max_new_tokens": LENGTH, "details": True, "stop": stop}
        return {"inputs": PROMPT, "parameters": {**settings, "return_full_text": False}}

    [plain] = posted(http, "/models/writer", asked([]))
    for stop in stops_of(plain["generated_text"]):
        [found] = posted(http, "/models/writer", asked(stop))
        text = found["generated_text"]
        assert "".join(token["text"] for token in found["details"]["tokens"]) == text
        said = events(http, "/models/writer", asked(stop))
        assert said[-1]["generated_text"] == text
        assert "".join(event["token"]["text"] for event in said) == text


def test_generate_of_oip(http: httpx.Client) -> None:
    settings = {"max_new_tokens": LENGTH}
    body = {"text_input": PROMPT, "parameters": settings}
    plain = posted(http, "/v2/models/writer/generate", body)["text_output"]
    for stop in stops_of(plain):
        asked = {"text_input": PROMPT, "parameters": {**settings, "stop": stop}}
        text = posted(http, "/v2/models/writer/generate", asked)["text_output"]
        parts = events(http, "/v2/models/writer/generate_stream", asked)
        assert "".join(part.get("text_output", "") for part in parts) == text
