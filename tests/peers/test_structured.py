"""Structured output, tools and the Responses API, by the clients that people call them with.

SmolLM2 answers in the forms; tiny models of random weights call tools, one for each form of calls.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.ops.stack import Stack

from ..support import packaged, tools
from ..support.models import model
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

OPENAI = "openai==3.52.0"
AI_SDK = ("ai", "7.0.173")
#: Framework -> what its environment holds; the first names it on docs/compatibility.md.
FRAMEWORKS = {
    "langchain": ("langchain-openai==1.7.4",),
    "pydantic-ai": ("pydantic-ai-slim[openai]==2.62.0",),
    "instructor": ("instructor==1.17.0",),
    "outlines": ("outlines==1.3.3", "openai"),
    "smolagents": ("smolagents==1.26.0", "openai"),
}

Saw = dict[str, Any]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """SmolLM2, a model of images, and a tiny model for each form of calls."""
    folder = tmp_path_factory.mktemp("structured")
    chat = str(packaged.model("smollm2-135m-instruct"))
    declared = [
        model("chat", backend="transformers", source=chat),
        model("image-text-to-text", backend="stub"),
    ]
    for family in ("hermes", "llama", "mistral"):
        source = tools.chat(folder / family, family, positions=8192)  # agents say much
        declared.append(model(family, "chat", backend="transformers", source=str(source)))
    models = folder / "models.toml"
    models.write_text("".join(declared))
    with Stack(models=models, data_dir=folder / "data", flower=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def by_openai(
    environment: Environment, drive: Callable[..., list[Saw]], fleet: Stack
) -> dict[str, Saw]:
    lines = drive(environment("openai", OPENAI), "structured_openai_client.py", fleet.url)
    return {line["call"]: line for line in lines}


CHECKS: dict[str, Callable[[Any], None]] = {}


def check(*calls: str) -> Callable[[Any], Any]:
    """Hold what a call saw against what was asked for."""

    def keep(function: Any) -> Any:
        CHECKS.update(dict.fromkeys(calls, function))
        return function

    return keep


def person(saw: Any) -> None:
    assert set(saw) == {"name", "age", "city"}
    assert len(saw["name"]) <= 8
    assert 0 <= saw["age"] <= 120
    assert saw["city"] in ("Paris", "London")


def weather(arguments: list[Any]) -> None:
    assert arguments
    assert all(each in ({"city": "Paris"}, {"city": "London"}) for each in arguments)


@check("chat.completions.parse")
def _(saw: Any) -> None:
    person(saw[0])
    assert saw[1] == "stop"


@check("chat.completions.stream, response_format")
def _(saw: Any) -> None:
    person(saw[0])
    assert {"content.delta", "content.done"} <= set(saw[1])


@check("chat.completions.create, json_object")
def _(saw: Any) -> None:
    assert saw.startswith("{")


@check("chat.completions.create, structured_outputs of vLLM")
def _(saw: Any) -> None:
    assert saw in ("yes", "no")


@check("chat.completions.create, guided_regex of vLLM")
def _(saw: Any) -> None:
    assert len(saw) == 3
    assert set(saw) <= {"a", "b"}


@check("chat.completions.create, guided_json of vLLM")
def _(saw: Any) -> None:
    person(json.loads(saw))


@check(*(f"chat.completions.parse, tools of {name}" for name in ("hermes", "llama", "mistral")))
@check("chat.completions.parse, a named tool")
def _(saw: Any) -> None:
    weather(saw[0])
    assert saw[1] == "tool_calls"
    assert len(set(saw[2])) == len(saw[2])


@check("chat.completions.create, tools streamed")
def _(saw: Any) -> None:
    names, arguments, ends = saw
    assert {name for _, name in names} == {"GetWeather"}
    weather(arguments)
    assert ends == ["tool_calls"]


@check("chat.completions.create, a tool's answer")
def _(saw: Any) -> None:
    assert saw is True


@check("responses.create")
def _(saw: Any) -> None:
    assert saw[0]
    assert saw[1] in ("completed", "incomplete")
    assert 0 < saw[2] <= 12


@check("responses.create, streamed")
def _(saw: Any) -> None:
    deltas, whole, kinds = saw
    assert deltas == whole
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-1] in ("response.completed", "response.incomplete")


@check("responses.parse")
def _(saw: Any) -> None:
    person(saw)


@check("responses.create, tools")
def _(saw: Any) -> None:
    arguments, status, kinds, names = saw
    weather(arguments)
    assert status in ("completed", "incomplete")
    assert "response.function_call_arguments.done" in kinds
    assert set(names) == {"GetWeather"}


@check("responses.create, an image")
def _(saw: Any) -> None:
    assert saw


@check("errors: a bad schema", "errors: a bad schema, streamed")
def _(saw: Any) -> None:
    status, param, message = saw
    assert (status, param) == (400, "response_format")
    assert "sorcery" in message


@check("errors: a template without tools")
def _(saw: Any) -> None:
    assert saw[:2] == [400, "tools"]
    assert "chat template has none" in saw[2]


@check("errors: responses.create, previous_response_id")
def _(saw: Any) -> None:
    assert saw[:2] == [400, "previous_response_id"]


@check("errors: responses.retrieve")
def _(saw: Any) -> None:
    assert saw[0] == 404


@pytest.mark.parametrize(
    "call", [pytest.param(c, marks=pytest.mark.call(OPENAI, c)) for c in sorted(CHECKS)]
)
def test_openais_client_works(call: str, by_openai: dict[str, Saw]) -> None:
    assert not by_openai[call]["failed"]
    CHECKS[call](by_openai[call]["saw"])


def test_every_call_is_checked(by_openai: dict[str, Saw]) -> None:
    assert set(by_openai) == set(CHECKS)


def times(saw: Any) -> None:
    assert {name for name, _ in saw} == {"get_time"}


def forms(saw: Any) -> None:
    assert saw in ("yes", "no") or (len(saw) == 3 and set(saw) <= {"a", "b"})


EXPECTED: dict[str, dict[str, Callable[[Any], None]]] = {
    "langchain": {
        "with_structured_output": person,
        "with_structured_output, function_calling": person,
        "bind_tools": weather,
        "bind_tools, streamed": weather,
    },
    "pydantic-ai": {
        "Agent, NativeOutput": person,
        "Agent, output by a tool": person,
        "Agent, responses": person,
    },
    "instructor": {"TOOLS": person, "JSON_SCHEMA": person},
    "outlines": {
        "from_openai, a model of pydantic": person,
        "from_vllm, a model of pydantic": person,
        "from_vllm, a choice": forms,
        "from_vllm, a regular expression": forms,
    },
    "smolagents": {
        "OpenAIModel.generate, tools": times,
    },
}


@pytest.fixture(scope="module")
def by_framework(
    environment: Environment, drive: Callable[..., list[Saw]], fleet: Stack
) -> Callable[[str], dict[str, Saw]]:
    seen: dict[str, dict[str, Saw]] = {}

    def run(name: str) -> dict[str, Saw]:
        if name not in seen:
            python = environment(name, *FRAMEWORKS[name])
            lines = drive(python, "structured_frameworks_client.py", fleet.url, name)
            seen[name] = {line["call"]: line for line in lines}
        return seen[name]

    return run


@pytest.mark.parametrize(
    ("framework", "call"),
    [
        pytest.param(name, call, marks=pytest.mark.call(FRAMEWORKS[name][0], call))
        for name, calls in EXPECTED.items()
        for call in calls
    ],
)
def test_a_framework_works(
    framework: str, call: str, by_framework: Callable[[str], dict[str, Saw]]
) -> None:
    seen = by_framework(framework)
    assert set(seen) == set(EXPECTED[framework])
    assert not seen[call]["failed"]
    EXPECTED[framework][call](seen[call]["saw"])


@pytest.fixture(scope="module")
def by_ai_sdk(tmp_path_factory: pytest.TempPathFactory, fleet: Stack) -> dict[str, Saw]:
    """The AI SDK from the npm registry, and its script."""
    folder = tmp_path_factory.mktemp("ai-sdk")
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text("{}")
    packages = ["@".join(AI_SDK), "@ai-sdk/openai-compatible@3.0.92", "zod@4.6.7"]
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", *packages],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    shutil.copy(Path(__file__).with_name("structured_client.mjs"), folder)
    done = subprocess.run(
        [node, "structured_client.mjs", fleet.url],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["call"]: line for line in lines}


def called(saw: Any) -> None:
    assert {name for name, _ in saw} == {"weather"}
    weather([arguments for _, arguments in saw])


BY_AI_SDK = {"generateObject": person, "streamObject": person, "generateText, tools": called}


@pytest.mark.parametrize(
    "call",
    [pytest.param(c, marks=pytest.mark.call(f"{AI_SDK[0]} {AI_SDK[1]}", c)) for c in BY_AI_SDK],
)
def test_the_ai_sdk_works(call: str, by_ai_sdk: dict[str, Saw]) -> None:
    assert not by_ai_sdk[call]["failed"]
    BY_AI_SDK[call](by_ai_sdk[call]["saw"])
