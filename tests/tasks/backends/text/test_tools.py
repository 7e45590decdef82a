"""Calls of tools: certain ones of models of random weights, and what is read of what others say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import jsonschema
import pytest

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.text.chat import _read
from wherry.tasks.backends.transformers.text.tool_forms import CallForm, Hermes, Llama, Mistral
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.generation import Generation, GenerationOutput
from wherry.tasks.text.tokens import Token

from ....support import tools
from ....support.tools import TIME, WEATHER

ASKED = [{"role": "user", "content": "how is the weather?"}]
CALLING = ["hermes", "hermes-spelled", "llama", "mistral"]

Load = Callable[..., Any]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    loaded: dict[Any, Any] = {}
    with ExitStack() as closing:

        def load(family: str, **parameters: Any) -> Any:
            key = (family, *parameters.items())
            if key not in loaded:
                folder = tools.chat(tmp_path_factory.mktemp(family), family)
                backend = create_backend(
                    "transformers", "chat", str(folder), device=Device("cpu"), **parameters
                )
                backend.load()
                closing.callback(backend.close)
                loaded[key] = backend
            return loaded[key]

        yield load


def row(**fields: Any) -> ChatInput:
    given = {"messages": [ASKED], "max_new_tokens": 1500, "tools": [WEATHER, TIME], **fields}
    return ChatInput.validated(given)


def said(answer: Any) -> Generation:
    assert isinstance(answer, GenerationOutput), answer
    [generation] = answer.generations
    return generation


def check(generation: Generation, *names: str) -> None:
    """Calls of these tools alone, with arguments of their schemas."""
    assert generation.finish_reason == "tool_calls"
    assert generation.text == ""
    assert generation.tool_calls
    schemas = {t["function"]["name"]: t["function"].get("parameters", {}) for t in (WEATHER, TIME)}
    for call in generation.tool_calls:
        assert call["function"]["name"] in names
        arguments = json.loads(call["function"]["arguments"])
        jsonschema.validate(arguments, schemas[call["function"]["name"]])
        assert len(call["id"]) == 9
    assert len({call["id"] for call in generation.tool_calls}) == len(generation.tool_calls)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("family", CALLING)
def test_required_calls_are_certain(load: Load, family: str, continuous: bool) -> None:
    backend = load(family, continuous=continuous)
    rows = [row(tool_choice="required", do_sample=True, seed=seed) for seed in range(2)]
    for answer in backend.run(rows):
        check(said(answer), "get_weather", "get_time")


@pytest.mark.parametrize("family", CALLING)
def test_a_named_tool_is_called(load: Load, family: str) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    backend = load(family)
    for parallel in (None, False):
        [answer] = backend.run([row(tool_choice=choice, parallel_tool_calls=parallel)])
        check(said(answer), "get_weather")
    assert len(said(answer).tool_calls or ()) == 1


@pytest.mark.parametrize("family", CALLING)
def test_no_listener_hears_a_certain_call(load: Load, family: str) -> None:
    heard: list[Token] = []

    def listen(token: Token) -> bool:
        heard.append(token)
        return True

    [answer] = load(family).stream([row(tool_choice="required")], [listen])
    assert len(heard) == said(answer).completion_tokens
    assert "".join(token.text for token in heard) == ""


def test_calls_that_are_cut_are_no_calls(load: Load) -> None:
    [answer] = load("hermes").run([row(tool_choice="required", max_new_tokens=5)])
    assert said(answer).finish_reason == "length"
    assert said(answer).tool_calls is None


@pytest.mark.parametrize("family", CALLING)
def test_a_strict_tool_may_be_called_and_need_not(load: Load, family: str) -> None:
    strict = {"type": "function", "function": {**TIME["function"], "strict": True}}
    rows = [row(tools=[strict], do_sample=True, seed=seed, max_new_tokens=60) for seed in range(3)]
    for answer in load(family).run(rows):
        generation = said(answer)
        if generation.tool_calls:
            check(generation, "get_time")


def test_json_beside_tools_is_a_call_or_json(load: Load) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"enum": [1, 2]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    for family in CALLING:
        asked = [row(structured_outputs={"json": schema}, do_sample=True, seed=s) for s in range(2)]
        for answer in load(family).run(asked):
            generation = said(answer)
            if not generation.tool_calls:
                jsonschema.validate(json.loads(generation.text), schema)


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_text_is_a_text(load: Load, choice: str | None) -> None:
    backend = load("hermes")
    [answer] = backend.run([row(tool_choice=choice, max_new_tokens=6)])
    assert said(answer).tool_calls is None
    [plain] = backend.run([row(tools=None, max_new_tokens=6)])
    prompts = said(answer).prompt_tokens, said(plain).prompt_tokens
    assert (prompts[0] > prompts[1]) == (choice != "none")


def test_calls_and_answers_are_in_the_prompt(load: Load) -> None:
    backend = load("hermes")
    call = {
        "id": "abcdefghi",
        "type": "function",
        "function": {"name": "get_time", "arguments": '{"zone": "UTC"}'},
    }
    told = [
        *ASKED,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abcdefghi", "content": "noon"},
    ]
    prompt = backend.tokenizer.decode(backend.encode(row(messages=[told])))
    assert '<tool_call>\n{"name": "get_time", "arguments": {"zone": "UTC"}}\n</tool_call>' in prompt
    assert "<|tool|>noon" in prompt


@pytest.mark.parametrize(("family", "why"), [("none", "has none"), ("xml", "in a form")])
def test_templates_of_other_forms_are_refused_by_name(load: Load, family: str, why: str) -> None:
    [answer] = load(family).run([row()])
    assert isinstance(answer, RowError)
    assert answer.message.startswith("tools: ")
    assert why in answer.message


def test_a_tool_whose_schema_is_at_fault_is_named(load: Load) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "sorcery"}}}
    bad = {"type": "function", "function": {"name": "f", "parameters": schema}}
    [answer] = load("hermes").run([row(tools=[WEATHER, bad], tool_choice="required")])
    assert isinstance(answer, RowError)
    assert answer.message.startswith("tools.1.function.parameters: ")


def test_arguments_are_an_object_where_their_schema_does_not_say(load: Load) -> None:
    schema = {"properties": {"a": {"enum": [1]}}, "required": ["a"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    [answer] = load("hermes").run([row(tools=[tool], tool_choice="required")])
    calls = said(answer).tool_calls
    assert calls
    assert {call["function"]["arguments"] for call in calls} == {'{"a": 1}'}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [TIME, TIME]}, "tools: two of the name"),
    (
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}
            ]
        },
        "tools.0.function.parameters.type: arguments are an object, not 'array'",
    ),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
    ({"tools": None, "tool_choice": "required"}, "tool_choice: there are no tools"),
    (
        {"tool_choice": {"type": "function", "function": {"name": "other"}}},
        "tool_choice: no tool has the name",
    ),
    ({"num_beams": 2}, "tools: beam search"),
    (
        {"tool_choice": "required", "structured_outputs": {"json_object": True}},
        "structured_outputs: calls that are certain",
    ),
    ({"structured_outputs": {"regex": "a"}}, "structured_outputs: beside tools"),
    ({"messages": [[{"role": "assistant"}]]}, "messages.0.0.content: missing"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_what_does_not_go_together_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        row(**fields)
    assert refused.value.message.replace("[", ".").replace("]", "").startswith(message)


NAMES = {"get_weather", "get_time"}
CALL = ("get_weather", {"city": "Paris"})

READ: list[tuple[CallForm, str, str, list[Any]]] = [
    (
        Hermes(),
        'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',  # noqa: E501
        "Let me see.",
        [CALL],
    ),
    (
        Hermes(),
        '<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\n'
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}',
        "",
        [("get_time", {}), CALL],
    ),
    (Hermes(), "no call <tool", "no call <tool", []),
    (Hermes(), "<tool_call>{broken}</tool_call>", "<tool_call>{broken}</tool_call>", []),
    (
        Hermes(),
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        [],
    ),
    (Llama(), '{"name": "get_weather", "parameters": {"city": "Paris"}}', "", [CALL]),
    (
        Llama(),
        '<|python_tag|>{"name": "get_time", "parameters": {}}; '
        '{"name": "get_weather", "parameters": {"city": "Paris"}}',
        "",
        [("get_time", {}), CALL],
    ),
    (Llama(), '{"answer": 4}', '{"answer": 4}', []),
    (Llama(), 'It is {"name": 1}', 'It is {"name": 1}', []),
    (
        Mistral(),
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}}]',
        "",
        [CALL],
    ),
    (Mistral(), "[TOOL_CALLS] nothing", "[TOOL_CALLS] nothing", []),
]


@pytest.mark.parametrize(("form", "text", "before", "calls"), READ)
def test_what_a_model_says_is_read(
    form: CallForm, text: str, before: str, calls: list[Any]
) -> None:
    assert _read(form, text, NAMES) == (before, calls)
