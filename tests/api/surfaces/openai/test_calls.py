"""Calls of tools in answers, whole and streamed, in chat's form and in that of responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.api.surfaces.openai.chat_requests import ChatRequest
from wherry.api.surfaces.openai.chat_responses import ChatReply
from wherry.api.surfaces.openai.chat_routes import inputs_of
from wherry.api.surfaces.openai.choices import ChoiceDelta
from wherry.api.surfaces.openai.responses_reply import ResponsesReply
from wherry.api.surfaces.openai.responses_requests import ResponsesRequest
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.text.generation import Generation
from wherry.tasks.text.tool_use import ToolCall

CALLS: tuple[ToolCall, ...] = tuple(
    {"id": f"call{n}", "type": "function", "function": {"name": "f", "arguments": f'{{"n": {n}}}'}}
    for n in range(2)
)


def generation(text: str = "", reason: Any = "tool_calls", calls: Any = CALLS) -> Generation:
    return Generation(
        text=text, finish_reason=reason, prompt_tokens=3, completion_tokens=4, tool_calls=calls
    )


def events(*frames: bytes) -> list[dict[str, Any]]:
    lines = b"".join(frames).decode().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(each) for each in data if each != "[DONE]"]


def test_calls_are_in_the_message() -> None:
    [choice] = ChatReply("m", logprobs=False).whole([generation()])["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == list(CALLS)
    [choice] = ChatReply("m", logprobs=False).whole([generation("so:")])["choices"]
    assert choice["message"]["content"] == "so:"


def test_a_message_without_calls_has_none() -> None:
    [choice] = ChatReply("m", logprobs=False).whole([generation("a", "stop", None)])["choices"]
    assert "tool_calls" not in choice["message"]


def test_calls_are_streamed_as_deltas() -> None:
    reply = ChatReply("m", logprobs=False)
    told = events(reply.part(ChoiceDelta(0, "so", end=generation("so"))))
    choices = [each["choices"][0] for each in told]
    assert choices[0]["delta"] == {"content": "so"}
    deltas = [call for c in choices for call in c["delta"].get("tool_calls", [])]
    assert [delta["index"] for delta in deltas] == [0, 0, 1, 1]
    assert [delta["id"] for delta in deltas if "id" in delta] == ["call0", "call1"]
    assert [delta["function"]["arguments"] for delta in deltas] == ["", '{"n": 0}', "", '{"n": 1}']
    assert [c["finish_reason"] for c in choices] == [None] * 5 + ["tool_calls"]


def responses(**fields: Any) -> ResponsesRequest:
    return ResponsesRequest.model_validate({"model": "m", "input": "hi", **fields})


def test_a_response_has_a_message_and_calls() -> None:
    reply = ResponsesReply("m", responses())
    whole = reply.whole([generation("so")])
    assert [item["type"] for item in whole["output"]] == ["message", *["function_call"] * 2]
    assert whole["output"][1]["call_id"] == "call0"
    assert whole["status"] == "completed"
    assert whole["usage"]["total_tokens"] == 7
    cut = reply.whole([generation("so", "length", None)])
    assert cut["status"] == "incomplete"
    assert cut["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_response_is_streamed_in_order() -> None:
    reply = ResponsesReply("m", responses())
    end = generation("so far")
    frames = [
        *reply.begin(0),
        reply.part(ChoiceDelta(0, "so")),
        reply.part(ChoiceDelta(0, " far", end=end)),
        *reply.end([end], usage=False),
    ]
    told = events(*frames)
    assert [each["sequence_number"] for each in told] == list(range(len(told)))
    kinds = [each["type"].removeprefix("response.") for each in told]
    called = [
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
    ]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", *called, *called, "completed"),
    ]
    assert [e["output_index"] for e in told if e["type"].endswith("item.done")] == [0, 1, 2]
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "so far"


def test_calls_alone_are_streamed_without_a_message() -> None:
    reply = ResponsesReply("m", responses())
    told = events(reply.part(ChoiceDelta(0, "", end=generation())))
    assert {each["type"] for each in told if "item" in each["type"]} == {
        "response.output_item.added",
        "response.output_item.done",
    }
    assert all(each.get("item", {}).get("type") != "message" for each in told)


TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}


def test_a_conversation_of_items_is_one_of_messages() -> None:
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "c"},
        {
            "type": "function_call_output",
            "call_id": "2",
            "output": [{"type": "input_text", "text": "d"}],
        },
    ]
    format_ = {"type": "json_schema", "name": "x", "schema": {"type": "object"}}
    chat = responses(
        input=said,
        instructions="be brief",
        tools=[TOOL],
        tool_choice={"type": "function", "name": "f"},
        max_output_tokens=5,
        temperature=0,
    ).chat()
    [given] = inputs_of(chat)
    roles = [message["role"] for message in given.messages[0]]
    assert roles == ["system", "user", "assistant", "assistant", "tool", "tool"]
    assert [call["id"] for call in given.messages[0][3].get("tool_calls") or ()] == ["1", "2"]
    assert given.messages[0][5].get("content") == "d"
    function = {name: value for name, value in TOOL.items() if name != "type"}
    assert given.tools == [{"type": "function", "function": function}]
    assert given.tool_choice == {"type": "function", "function": {"name": "f"}}
    assert given.max_new_tokens == 5
    [formed] = inputs_of(responses(text={"format": format_}).chat())
    assert formed.structured_outputs == {"json": {"type": "object"}}


def chat(**fields: Any) -> Any:
    given = {"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}
    [made] = inputs_of(ChatRequest.model_validate(given))
    return made


SCHEMA = {"type": "object"}

FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"response_format": {"type": "json_object"}}, {"json_object": True}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        {"json": SCHEMA},
    ),
    ({"response_format": {"type": "json", "value": '{"type": "object"}'}}, {"json": SCHEMA}),
    ({"response_format": {"type": "regex", "value": "a+"}}, {"regex": "a+"}),
    ({"guided_json": '{"type": "object"}'}, {"json": SCHEMA}),
    ({"guided_json": SCHEMA, "guided_decoding_backend": "xgrammar"}, {"json": SCHEMA}),
    ({"guided_regex": "a+"}, {"regex": "a+"}),
    ({"guided_choice": ["a", "b"]}, {"choice": ["a", "b"]}),
    ({"guided_grammar": 'start: "a"'}, {"grammar": 'start: "a"'}),
    ({"structured_outputs": {"json": '{"type": "object"}', "regex": None}}, {"json": SCHEMA}),
]


@pytest.mark.parametrize(("fields", "form"), FORMS)
def test_a_form_in_any_words_is_the_same(fields: dict[str, Any], form: dict[str, Any]) -> None:
    assert chat(**fields).structured_outputs == form


@pytest.mark.parametrize("fields", [{}, {"response_format": {"type": "text"}}, {"tools": []}])
def test_plain_text_has_no_form(fields: dict[str, Any]) -> None:
    assert chat(**fields).binding() == ""


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (
            {"type": "json_object", "schema": SCHEMA},
            "response_format.schema: type json_object takes none; a schema stands in json_schema",
        ),
        ({"type": "text", "json_schema": {}}, "response_format.json_schema: type text takes none"),
        ({"type": "json_schema", "json_schema": {}}, "response_format.json_schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "x"}},
            "response_format.json_schema.schema: missing",
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": "{"}},
            "response_format.json_schema.schema: expected a JSON schema",
        ),
        ({"type": "json"}, "response_format.value: missing"),
    ],
)
def test_a_form_that_would_be_left_aside_is_refused(format_: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat(response_format=format_).binding()
    assert caught.value.message.startswith(text)


def test_one_form_is_said_once() -> None:
    with pytest.raises(InvalidRequest, match="response_format: guided_regex says the form"):
        chat(guided_regex="a", response_format={"type": "json_object"})
