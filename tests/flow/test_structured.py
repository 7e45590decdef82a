"""Texts held to forms, and calls of tools, over the whole stack: in batches and continuously."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from wherry.ops.ports import free_port
from wherry.ops.stack import Stack

from ..support import tools
from ..support.models import model
from ..support.tools import TIME, WEATHER

pytestmark = pytest.mark.slow  # torch loads twice: here to build the model, and in the worker

ASKED = [{"role": "user", "content": "hello"}]

#: The last is the first one behind `backend = "endpoint"`.
MODELS = ("chat", "continuous", "far")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("stack")
    source = str(tools.chat(folder / "hermes", "hermes"))
    models = folder / "models.toml"
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    models.write_text(
        model("chat", "chat", backend="transformers", source=source)
        + model("far", "chat", backend="endpoint", source=url, protocol="openai", model="chat")
        + model("continuous", "chat", backend="transformers", source=source, continuous=True)
        + model("plain", "chat", backend="stub")
    )
    env = {
        "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
        "WHERRY_ENDPOINT_SCHEMES": "http",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    with (
        Stack(models=models, data_dir=folder, flower=False, port=port, env=env) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        yield client


def chat(http: httpx.Client, name: str, **fields: Any) -> httpx.Response:
    body = {"model": name, "messages": ASKED, "max_tokens": 1500, **fields}
    return http.post("/v1/chat/completions", json=body)


def schema(*words: str) -> dict[str, Any]:
    inner = {"type": "object", "properties": {"word": {"enum": words}}, "required": ["word"]}
    return {"type": "json_schema", "json_schema": {"name": "word", "schema": inner}}


@pytest.mark.parametrize("name", MODELS)
def test_requests_at_once_have_each_their_own_schema(http: httpx.Client, name: str) -> None:
    words = [(f"a{number}", f"b{number}") for number in range(8)]
    with ThreadPoolExecutor(len(words)) as pool:
        answers = list(
            pool.map(lambda each: chat(http, name, response_format=schema(*each)), words)
        )
    for asked, answer in zip(words, answers, strict=True):
        assert answer.status_code == 200, answer.text
        [choice] = answer.json()["choices"]
        assert choice["finish_reason"] == "stop"
        said = json.loads(choice["message"]["content"])
        assert said.keys() == {"word"}
        assert said["word"] in asked


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_ends_in_calls_and_says_nothing_else(http: httpx.Client, name: str) -> None:
    answer = chat(http, name, tools=[WEATHER, TIME], tool_choice="required", stream=True)
    lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    choices = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == ""
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", [])]
    assert {call["function"]["name"] for call in calls if "id" in call} <= {
        "get_weather",
        "get_time",
    }
    assert all(json.loads(call["function"]["arguments"] or "{}") is not None for call in calls)
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["tool_calls"]


@pytest.mark.parametrize("name", MODELS)
def test_a_call_that_is_named_comes_with_its_arguments(http: httpx.Client, name: str) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    answer = chat(http, name, tools=[WEATHER, TIME], tool_choice=named).json()
    [choice] = answer["choices"]
    [*calls] = choice["message"]["tool_calls"]
    assert {call["function"]["name"] for call in calls} == {"get_time"}
    assert all(call["id"] and call["type"] == "function" for call in calls)
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("name", MODELS)
def test_a_text_is_one_of_the_choices(http: httpx.Client, name: str) -> None:
    answer = chat(http, name, guided_choice=["aye", "nay"]).json()
    assert answer["choices"][0]["message"]["content"] in ("aye", "nay")


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_cannot_be_followed_is_a_400(http: httpx.Client, stream: bool) -> None:
    bad = {"type": "json_schema", "json_schema": {"schema": {"type": "sorcery"}}}
    answer = chat(http, "chat", response_format=bad, stream=stream)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "response_format"


def test_rows_of_one_job_have_the_form(http: httpx.Client) -> None:
    messages = [json.dumps(ASKED)] * 3
    tensor = {"name": "messages", "shape": [3], "datatype": "BYTES", "data": messages}
    form = {"structured_outputs": {"choice": ["yes", "no"]}}
    answer = http.post("/v2/models/chat/infer", json={"inputs": [tensor], "parameters": form})
    assert answer.status_code == 200, answer.text
    [text] = [out for out in answer.json()["outputs"] if out["name"] == "text"]
    assert set(text["data"]) <= {"yes", "no"}


def test_calls_of_a_job_are_an_output(http: httpx.Client) -> None:
    tensor = {"name": "messages", "shape": [1], "datatype": "BYTES", "data": [json.dumps(ASKED)]}
    given = {"tools": [TIME], "tool_choice": "required", "max_new_tokens": 1500}
    answer = http.post("/v2/models/chat/infer", json={"inputs": [tensor], "parameters": given})
    assert answer.status_code == 200, answer.text
    outputs = {out["name"]: out["data"] for out in answer.json()["outputs"]}
    [calls] = map(json.loads, outputs["tool_calls"])
    assert {call["function"]["name"] for call in calls} == {"get_time"}
    assert outputs["finish_reason"] == ["tool_calls"]


def test_a_backend_that_follows_no_form_says_so(http: httpx.Client) -> None:
    answer = chat(http, "plain", guided_regex="a")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "guided_regex"
    assert "follows no form" in answer.json()["error"]["message"]


def test_generations_grammar_is_taken_too(http: httpx.Client) -> None:
    grammar = {"type": "regex", "value": "[ab]{3}"}
    answer = http.post("/models/chat", json={"inputs": "a", "parameters": {"grammar": grammar}})
    assert answer.status_code == 200, answer.text
    text = json.dumps(answer.json())
    assert any(f'"{a}{b}{c}"' in text for a in "ab" for b in "ab" for c in "ab")
