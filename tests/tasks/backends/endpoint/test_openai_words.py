"""What a row asks for reaches an OpenAI endpoint, or is refused; calls of tools come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.backends.endpoint.faults import BrokenError
from wherry.tasks.backends.endpoint.http import Http
from wherry.tasks.backends.endpoint.protocols import protocol_class
from wherry.tasks.backends.endpoint.protocols.base import RemoteModel
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.egress.allowed import Allowed
from wherry.tasks.egress.guard import OutboundGuard
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.text.generation import Generation
from wherry.tasks.text.text_generation import TextGenerationInput

ASKED = [[{"role": "user", "content": "hi"}]]
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}

#: Field of a chat -> a value, and what the server hears then; None: the row is refused by name.
SAID: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "max_new_tokens": (7, {"max_tokens": 7}),
    "do_sample": (False, {"temperature": 0}),
    "temperature": (0.5, {"temperature": 0.5}),
    "top_p": (0.9, {"top_p": 0.9}),
    "top_k": (5, {"top_k": 5}),
    "typical_p": (0.9, None),
    "repetition_penalty": (1.5, {"repetition_penalty": 1.5}),
    "presence_penalty": (0.5, {"presence_penalty": 0.5}),
    "frequency_penalty": (0.5, {"frequency_penalty": 0.5}),
    "logit_bias": ({"5": 3.0}, {"logit_bias": {"5": 3.0}}),
    "min_new_tokens": (3, {"min_tokens": 3}),
    "num_beams": (2, None),
    "stop": (["x"], {"stop": ["x"]}),
    "seed": (4, {"seed": 4}),
    "logprobs": (2, {"logprobs": True, "top_logprobs": 2}),
    "structured_outputs": (
        {"json": SCHEMA},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "tools": ([TOOL], {"tools": [TOOL]}),
    "tool_choice": ("required", {"tool_choice": "required"}),
    "parallel_tool_calls": (False, {"parallel_tool_calls": False}),
}


async def anywhere(host: str, port: int) -> Sequence[str]:
    return ["93.184.216.34"]


def exchange(row: TaskInput, task: str, **message: Any) -> tuple[dict[str, Any], Generation]:
    """What the server heard, and what its answer was read as."""
    heard, told = asked(row, task, **message)
    generation: Generation = told.generations[0]  # type: ignore[attr-defined] # of a text
    return heard, generation


def asked(
    row: TaskInput, task: str, usage: Any = None, **message: Any
) -> tuple[dict[str, Any], TaskOutput]:
    """The same, with what is told beside the text."""
    heard: dict[str, Any] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        heard.update(json.loads(request.content))
        choice = {"finish_reason": "stop", "message": {"content": "{}", **message}}
        whole = {"choices": [{**choice, **message.pop("choice", {})}], "usage": usage}
        body = json.dumps(whole).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    async def run() -> TaskOutput:
        guard = OutboundGuard(
            Allowed.of("https", "host", setting="WHERRY_ENDPOINT"),
            resolve=anywhere,
            transport=httpx.MockTransport(answer),
        )
        http = Http("https://host/v1", {}, guard, 5.0)
        server = protocol_class("openai")(get_task(task), RemoteModel(model="m"), http)
        try:
            [told] = (await server.ask([row], None)).rows
            assert isinstance(told, TaskOutput)
            return told
        finally:
            await server.close()

    return heard, asyncio.run(run())


def test_each_field_of_a_chat_is_looked_at() -> None:
    assert set(SAID) == set(ChatInput.model_fields) - {"messages"}


@pytest.mark.parametrize("field", SAID)
def test_a_field_is_sent_or_refused_by_its_name(field: str) -> None:
    value, expected = SAID[field]
    needs: dict[str, dict[str, Any]] = {
        "temperature": {"do_sample": True},
        "tool_choice": {"tools": [TOOL]},
    }
    needs["parallel_tool_calls"] = needs["tool_choice"]
    row = ChatInput.validated({"messages": ASKED, field: value, **needs.get(field, {})})
    if expected is None:
        with pytest.raises(RowError, match=field):
            exchange(row, "chat")
        return
    calls = {"tool_calls": [CALL]} if row.calls_are_certain else {}
    heard, _ = exchange(row, "chat", **calls)
    assert {name: heard.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"json_object": True}, {"response_format": {"type": "json_object"}}),
        ({"regex": "[a-z{}]+"}, {"structured_outputs": {"regex": "[a-z{}]+"}}),
        ({"choice": ["{}", "b"]}, {"structured_outputs": {"choice": ["{}", "b"]}}),
        ({"grammar": "start: x"}, {"structured_outputs": {"grammar": "start: x"}}),
    ],
)
def test_a_completion_has_its_form_too(form: dict[str, Any], expected: dict[str, Any]) -> None:
    row = TextGenerationInput.validated({"texts": ["a"], "structured_outputs": form})
    heard, _ = exchange(row, "text-generation")
    assert {name: heard.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("form", "said", "cut"),
    [
        ({"json": SCHEMA}, "no {", '{"a'),
        ({"choice": ["ab", "b"]}, "c", "a"),
        ({"regex": "[0-9]{2}"}, "ab", "4"),
    ],
)
def test_a_server_that_leaves_the_form_aside_is_not_believed(
    form: dict[str, Any], said: str, cut: str
) -> None:
    row = ChatInput.validated({"messages": ASKED, "structured_outputs": form})
    with pytest.raises(BrokenError, match="structured_outputs: the endpoint wrote no"):
        exchange(row, "chat", content=said)
    for begun in ("", cut):
        choice = {"finish_reason": "length", "message": {"content": begun}}
        _, generation = exchange(row, "chat", choice=choice)
        assert (generation.text, generation.finish_reason) == (begun, "length")
    if "regex" not in form:  # where one may go on is not looked into
        with pytest.raises(BrokenError, match="structured_outputs: the endpoint wrote no"):
            exchange(row, "chat", choice={"finish_reason": "length", "message": {"content": said}})


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"regex": ".*"}, "a\nb"),
        ({"regex": r"\<b\>.*\</b\>"}, "<b>x</b>"),
        ({"regex": "[a&&b]+"}, "a&b"),
        ({"regex": "[a[b]]"}, "[]"),
        ({"json_object": True}, ' {"a": "\\ud800"}\n'),
        ({"json_object": True}, '{"a": ' + "[" * 500 + "]" * 500 + "}"),
    ],
)
def test_what_other_readers_take_is_no_fault(form: dict[str, Any], said: str) -> None:
    row = ChatInput.validated({"messages": ASKED, "structured_outputs": form})
    assert exchange(row, "chat", content=said)[1].text == said


@pytest.mark.parametrize(
    ("form", "said"),
    [({"json": SCHEMA}, '{"a": 1,'), ({"regex": "[0-9]{2};"}, "12"), ({"choice": ["a;b"]}, "a")],
)
def test_a_form_may_end_where_its_row_had_it_end(form: dict[str, Any], said: str) -> None:
    row = ChatInput.validated({"messages": ASKED, "structured_outputs": form, "stop": [";", "}"]})
    assert exchange(row, "chat", content=said)[1].text == said


def test_a_text_that_a_server_breaks_off_says_why_and_no_more() -> None:
    form = ChatInput.validated({"messages": ASKED, "structured_outputs": {"json": SCHEMA}})
    call = ChatInput.validated({"messages": ASKED, "tools": [TOOL], "tool_choice": "required"})
    choice = {"finish_reason": "content_filter", "message": {"content": '{"a'}}
    for row in (form, call):
        _, answer = asked(row, "chat", choice=choice)
        assert answer.warning == "the endpoint ended the text for 'content_filter'"


def test_an_answer_of_no_use_has_its_tokens_counted() -> None:
    row = ChatInput.validated({"messages": ASKED, "structured_outputs": {"json": SCHEMA}})
    with pytest.raises(BrokenError) as broken:
        exchange(row, "chat", content="no", usage={"prompt_tokens": 7, "completion_tokens": 2})
    assert (broken.value.tokens_in, broken.value.tokens_out) == (7, 2)


@pytest.mark.parametrize("regex", ["(a+)+b", "(?=a)a*"])
def test_no_regex_keeps_the_reader(regex: str) -> None:
    """One would take other engines for ever; the other no engine of linear time knows."""
    row = ChatInput.validated({"messages": ASKED, "structured_outputs": {"regex": regex}})
    said = "a" * 100_000
    if regex.startswith("(?="):
        assert exchange(row, "chat", content=said)[1].text == said
    else:
        with pytest.raises(BrokenError, match="no match of regex"):
            exchange(row, "chat", content=said)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("embedding", EmbeddingInput(texts=["a"], truncation_direction="left")),
        ("embedding", EmbeddingInput(texts=["a"], prompt_name="query")),
        ("image-text-to-text", ImageTextToTextInput(images=[PNG], texts=["a"], background="red")),
        ("text-generation", TextGenerationInput(texts=["a"], prompt_logprobs=True, logprobs=0)),
    ],
)
def test_what_would_not_be_heard_is_refused(task: str, row: TaskInput) -> None:
    [field] = row.model_fields_set & {
        *("truncation_direction", "prompt_name", "background", "prompt_logprobs")
    }
    with pytest.raises(RowError, match=f"{field}: an OpenAI endpoint"):
        exchange(row, task)


def test_calls_of_tools_are_answered() -> None:
    row = ChatInput.validated({"messages": ASKED, "tools": [TOOL]})
    _, generation = exchange(row, "chat", content=None, tool_calls=[CALL])
    assert (generation.text, generation.finish_reason) == ("", "tool_calls")
    assert generation.tool_calls == (CALL,)


@pytest.mark.parametrize(
    "calls", [5, [5], [{}], [{**CALL, "function": {"name": "look", "arguments": {}}}]]
)
def test_a_call_that_cannot_be_read_is_none(calls: Any) -> None:
    row = ChatInput.validated({"messages": ASKED, "tools": [TOOL]})
    with pytest.raises(BrokenError, match="call of a tool cannot be read"):
        exchange(row, "chat", tool_calls=calls)


@pytest.mark.parametrize(
    ("choice", "calls", "fault"),
    [
        ("required", None, "called no tool"),
        ({"type": "function", "function": {"name": "look"}}, [], "called no tool"),
        ("required", [{**CALL, "function": {"name": "x", "arguments": "{}"}}], "another tool"),
    ],
)
def test_calls_that_were_to_be_certain_are_missed(choice: Any, calls: Any, fault: str) -> None:
    row = ChatInput.validated({"messages": ASKED, "tools": [TOOL], "tool_choice": choice})
    with pytest.raises(BrokenError, match=f"tool_choice: the endpoint .*{fault}"):
        exchange(row, "chat", content="I would rather not.", tool_calls=calls)


def test_an_answer_that_is_cut_before_its_call_says_so() -> None:
    row = ChatInput.validated({"messages": ASKED, "tools": [TOOL], "tool_choice": "required"})
    cut = {"finish_reason": "length", "message": {"content": "I wo"}}
    _, answer = asked(row, "chat", choice=cut)
    assert answer.warning == "the endpoint called no tool within max_new_tokens"
    assert answer.model_dump()["generations"][0]["finish_reason"] == "length"
