"""Triton's load generator, unchanged: every answer that it got is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.ops.stack import Stack

from ..support import perf_analyzer
from ..support.models import model

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

MODELS = (
    model(
        "tensor",
        backend="onnxruntime",
        source="package:wherry.samples/weights/arithmetic",
        max_batch_size=16,
    )
    + model("embedding", max_batch_size=16)
    + model("text-generation", max_batch_size=8)
    + model("chat", max_batch_size=8)
)

#: Windows short, and as many as there are: whether figures are steady is no matter here.
QUICK = perf_analyzer.flags(
    measurement_mode="count_windows", measurement_request_count=40, stability_percentage=999
)

NUMBERS = {"data": [{"x": [1.0, 2.0, 3.5]}, {"x": [10.0, 20.0, 30.0]}]}
TEXTS = {"data": [{"text": ["a boat"]}, {"text": ["a wherry waits"]}]}
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}

Request = dict[str, Any]


def doubles(request: Request) -> None:
    numbers = request["request_inputs"]["x"]
    assert request["response_outputs"] == [
        {"double": [2 * number for number in numbers], "sum": sum(numbers)}
    ]


def embeds(request: Request) -> None:
    [told] = request["response_outputs"]
    assert len(told["embedding"]) > 1


def writes(request: Request) -> None:
    assert "".join(part["text"] for part in request["response_outputs"]).strip()


def writes_in_parts(request: Request) -> None:
    writes(request)
    assert len(request["response_outputs"]) > 1


def chats(request: Request) -> None:
    [told] = request["response_outputs"]
    answer = json.loads(told["response"])
    assert answer["choices"][0]["message"]["content"]


def chats_in_parts(request: Request) -> None:
    parts = [told["response"] for told in request["response_outputs"]]
    assert len(parts) > 1
    assert "[DONE]" in parts[-1]


#: What is called -> its model, over what, its flags, its data, what each answer must be.
CALLS: dict[str, tuple[str, str, list[str], object, Callable[[Request], None]]] = {
    "tensor, HTTP": ("tensor", "http", [], NUMBERS, doubles),
    "tensor, HTTP, --async": ("tensor", "http", ["--async"], NUMBERS, doubles),
    "tensor, gRPC": ("tensor", "grpc", [], NUMBERS, doubles),
    "tensor, gRPC, --async": ("tensor", "grpc", ["--async"], NUMBERS, doubles),
    "tensor, gRPC, --streaming": ("tensor", "grpc", ["--streaming"], NUMBERS, doubles),
    "embedding, HTTP": ("embedding", "http", [], TEXTS, embeds),
    "embedding, gRPC": ("embedding", "grpc", [], TEXTS, embeds),
    "text-generation, gRPC, --async --streaming": (
        *("text-generation", "grpc", ["--async", "--streaming"], TEXTS, writes),
    ),
    "text-generation, gRPC, --async --streaming, token by token": (
        *("text-generation", "grpc"),
        ["--async", "--streaming", "--request-parameter=stream:true:bool"],
        *(TEXTS, writes_in_parts),
    ),
    "chat, --service-kind openai": (
        *("chat", "openai", ["--async"], {"data": [{"payload": [CHAT]}]}, chats),
    ),
    "chat, --service-kind openai, streamed": (
        *("chat", "openai", ["--async"]),
        *({"data": [{"payload": [CHAT | {"stream": True}]}]}, chats_in_parts),
    ),
}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command; skips where it cannot be had."""
    try:
        return perf_analyzer.fetch(tmp_path_factory.mktemp("perf-analyzer"))
    except perf_analyzer.UnobtainableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A few models that answer at once, told as Triton tells them."""
    folder = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    with Stack(
        models=models,
        data_dir=folder / "data",
        flower=False,
        grpc_port=0,
        env={"WHERRY_TRITON_SHAPES": "true"},
    ) as stack:
        yield stack


@pytest.mark.parametrize(
    "call",
    [pytest.param(call, marks=pytest.mark.call(perf_analyzer.REQUIREMENT, call)) for call in CALLS],
)
def test_every_answer_of_a_load_is_right(
    call: str, command: Path, stack: Stack, tmp_path: Path
) -> None:
    name, over, given, data, check = CALLS[call]
    (tmp_path / "data.json").write_text(json.dumps(data))
    ran = perf_analyzer.run(
        command,
        tmp_path,
        *("-m", name, *_where(stack, over), *QUICK, *given),
        *perf_analyzer.flags(concurrency_range="1:8:7", input_data="data.json"),
        *(["--shape", "x:3"] if name == "tensor" else []),
    )
    assert ran.status == 0, ran.said[-3000:]
    assert set(ran.requests) == {1, 8}
    for asked in ran.requests.values():
        assert len(asked) >= 40
        for request in asked:
            check(request)


def _where(stack: Stack, over: str) -> list[str]:
    http = stack.url.removeprefix("http://")
    if over == "openai":
        return ["--service-kind=openai", "--endpoint=v1/chat/completions", "-u", http]
    return ["-i", over, "-u", http if over == "http" else stack.grpc_url]


@pytest.mark.call(perf_analyzer.REQUIREMENT, "-b, and the server's statistics")
def test_its_count_of_rows_and_forwards_is_the_servers(
    command: Path, stack: Stack, tmp_path: Path
) -> None:
    ran = perf_analyzer.run(
        command,
        tmp_path,
        *("-m", "tensor", *_where(stack, "http"), *QUICK, "--shape", "x:3", "-b", "8"),
    )
    assert ran.status == 0, ran.said[-3000:]
    counted = {
        name: int(line.partition(":")[2])
        for line in ran.said.splitlines()
        if (name := line.partition(":")[0].strip())
        in ("Request count", "Inference count", "Execution count", "Successful request count")
    }
    # Of several windows it tells the sum.
    assert counted["Inference count"] == 8 * counted["Successful request count"]
    assert 0 < counted["Execution count"] <= counted["Successful request count"]


@pytest.mark.call(perf_analyzer.REQUIREMENT, "--shared-memory system, refused by name")
def test_shared_memory_is_refused_by_name(command: Path, stack: Stack, tmp_path: Path) -> None:
    ran = perf_analyzer.run(
        command,
        tmp_path,
        *("-m", "tensor", *_where(stack, "http"), *QUICK, "--shape", "x:3"),
        "--shared-memory=system",
    )
    assert ran.status != 0
    assert "shared memory is not supported" in ran.said
