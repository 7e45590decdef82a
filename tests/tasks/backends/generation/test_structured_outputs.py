"""Texts that are held to a form, by a model of random weights, which would say anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.generation import Generation, GenerationOutput
from wherry.tasks.text.structured_outputs import MAX_BYTES, MAX_DEPTH
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Token

from ....support import tools

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "home": {"$ref": "#/$defs/place"},
    },
    "required": ["name", "age", "tags", "home"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "London"]}},
            "required": ["city"],
            "additionalProperties": False,
        }
    },
}
COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
SUM = 'start: NUMBER ("+" NUMBER){1,3}\nNUMBER: /[0-9]{1,2}/'

FORMS: dict[str, tuple[dict[str, Any], Callable[[str], bool]]] = {
    "json": ({"json": PERSON}, lambda text: _valid(text, PERSON)),
    "another json": ({"json": COLOUR}, lambda text: _valid(text, COLOUR)),
    "regex": (
        {"regex": "^[a-c]{2,4}-[0-9]{3}$"},
        lambda t: bool(re.fullmatch("[a-c]{2,4}-[0-9]{3}", t)),
    ),
    "choice": ({"choice": ["yes", "no", 'may"be\n']}, lambda t: t in ("yes", "no", 'may"be\n')),
    "grammar": ({"grammar": SUM}, lambda t: bool(re.fullmatch(r"\d{1,2}(\+\d{1,2}){1,3}", t))),
    "GBNF": (
        {"grammar": 'root ::= "a" [0-9] "b"'},
        lambda text: bool(re.fullmatch("a[0-9]b", text)),
    ),
}

Load = Callable[..., Any]


def _valid(text: str, schema: dict[str, Any]) -> bool:
    jsonschema.validate(json.loads(text), schema)
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tools.chat(tmp_path_factory.mktemp("formed"), "hermes")


@pytest.fixture(scope="module")
def load(folder: Path) -> Iterator[Load]:
    with ExitStack() as closing:

        def loaded(task: str = "text-generation", **parameters: Any) -> Any:
            backend = create_backend(
                "transformers", task, str(folder), device=Device("cpu"), **parameters
            )
            backend.load()
            closing.callback(backend.close)
            return backend

        yield loaded


@pytest.fixture(scope="module", params=[False, True], ids=["batch", "continuous"])
def backend(request: pytest.FixtureRequest, load: Load) -> Any:
    return load(continuous=request.param)


def row(form: dict[str, Any] | None, **fields: Any) -> TextGenerationInput:
    given = {"texts": ["the cat is"], "max_new_tokens": 200, **fields}
    return TextGenerationInput.validated({**given, "structured_outputs": form})


def said(answer: Any) -> Generation:
    assert isinstance(answer, GenerationOutput), answer
    [generation] = answer.generations
    return generation


@pytest.mark.parametrize("name", FORMS)
def test_a_text_has_its_form(backend: Any, name: str) -> None:
    form, holds = FORMS[name]
    [answer] = backend.run([row(form)])
    generation = said(answer)
    assert generation.finish_reason == "stop"
    assert holds(generation.text)


def test_rows_of_one_batch_have_each_its_own_form(backend: Any) -> None:
    rows = [row(form) for form, _ in FORMS.values()] + [row(None, max_new_tokens=8)]
    together = [said(answer).text for answer in backend.run(rows)]
    assert all(holds(text) for (_, holds), text in zip(FORMS.values(), together, strict=False))
    assert together == [said(backend.run([each])[0]).text for each in rows]


def test_drawn_texts_have_their_form(backend: Any) -> None:
    rows = [row({"json": PERSON}, do_sample=True, seed=seed) for seed in range(4)]
    texts = [said(answer).text for answer in backend.run(rows)]
    assert all(_valid(text, PERSON) for text in texts)
    assert len(set(texts)) > 1


def test_a_text_that_is_cut_says_so(backend: Any) -> None:
    [answer] = backend.run([row({"json": PERSON}, max_new_tokens=4)])
    assert said(answer).finish_reason == "length"


def test_any_object_begins_and_goes_on_as_json(backend: Any) -> None:
    [answer] = backend.run([row({"json_object": True}, max_new_tokens=40)])
    assert said(answer).text.startswith("{")


def test_tokens_are_told_with_the_models_own_chances(backend: Any) -> None:
    heard: list[Token] = []
    form = {"choice": ["yes", "no"]}

    def listen(token: Token) -> bool:
        heard.append(token)
        return True

    [answer] = backend.stream([row(form)], [listen])
    assert "".join(token.text for token in heard) == said(answer).text
    # What the form leaves no choice of would have a chance of one, were it counted.
    assert any(token.logprob is not None and token.logprob < -0.5 for token in heard)


BAD = [
    ({"json": {"type": "sorcery"}}, "sorcery"),
    ({"json": {"$ref": "http://example.org/schema"}}, "example.org"),
    ({"json": {"type": "string", "format": "sorcery"}}, "sorcery"),
    ({"json": {"type": "integer", "minimum": 3, "maximum": 2}}, ""),
    ({"json": {"enum": []}}, ""),
    ({"json": {"type": "integer", "minimum": 10**400}}, ""),
    ({"regex": "(["}, ""),
    ({"regex": "a(?=b)"}, ""),
    ({"grammar": "start: nothing"}, "nothing"),
    ({"grammar": "%json {"}, ""),
]


@pytest.mark.parametrize(("form", "named"), BAD)
def test_a_form_that_cannot_be_followed_is_its_rows_own_fault(
    backend: Any, form: dict[str, Any], named: str
) -> None:
    good = row({"choice": ["yes"]})
    answers = backend.run([good, row(form), good])
    assert isinstance(answers[1], RowError)
    assert answers[1].message.startswith("structured_outputs: ")
    assert named in answers[1].message
    assert [said(answers[place]).text for place in (0, 2)] == ["yes", "yes"]


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


REFUSED = [
    ({}, "structured_outputs: give one of"),
    ({"json": {}, "regex": "a"}, "structured_outputs: give one of"),
    ({"json_object": False}, "structured_outputs: give one of"),
    ({"jsons": {}}, "structured_outputs.jsons"),
    ({"json": "{}"}, "structured_outputs.json"),
    ({"choice": []}, "structured_outputs.choice"),
    ({"choice": ["a", "a"]}, "structured_outputs: choice"),
    ({"regex": ""}, "structured_outputs.regex"),
    ({"json": nested(MAX_DEPTH)}, "structured_outputs: objects and lists"),
    ({"json": {"enum": ["x" * MAX_BYTES]}}, "structured_outputs: 6"),
    ({"json": {"multipleOf": 1_000_003}}, "structured_outputs: multipleOf"),
    ({"json": {"items": {"multipleOf": 1e300}}}, "structured_outputs: multipleOf"),
    ({"json": {"anyOf": [{"multipleOf": 9_999}] * 6}}, "structured_outputs: multipleOf"),
    (
        {"grammar": 'start: "a" %json {"multiple\\u004ff": 1000003}'},
        "structured_outputs: multipleOf",
    ),
]


@pytest.mark.parametrize(("form", "message"), REFUSED)
def test_what_is_no_form_is_refused_by_name(form: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        row(form)


def test_usual_steps_of_numbers_are_followed(load: Load) -> None:
    for step in (0.01, 5, 0.25, 1000):
        form = {"json": {"type": "number", "multipleOf": step, "minimum": 0, "maximum": 9000}}
        [answer] = load().run([row(form, max_new_tokens=4)])
        assert said(answer)


def test_beams_follow_no_form() -> None:
    with pytest.raises(InvalidRequest, match="structured_outputs: beam search"):
        row({"choice": ["a"]}, num_beams=2)


BOMBS = [
    {"type": "string", "minLength": 10_000_000},
    {"type": "array", "minItems": 1_000_000, "items": nested(8)},
    {"allOf": [{"anyOf": [{"const": f"{i}-{j}"} for j in range(40)]} for i in range(40)]},
    {"type": "string", "pattern": "(a{1,1000}){1,1000}b"},
    {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(2000)}},
]


@pytest.mark.parametrize("schema", BOMBS, ids=lambda schema: str(schema)[:40])
def test_a_form_that_would_grow_without_end_ends_its_row_alone(
    load: Load, schema: dict[str, Any]
) -> None:
    backend = load()
    answers = backend.run([row({"json": schema}, max_new_tokens=4), row({"choice": ["yes"]})])
    assert isinstance(answers[0], RowError | GenerationOutput)
    assert said(answers[1]).text == "yes"


def test_a_grammar_is_compiled_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    import llguidance

    backend = load()
    compiled: list[str] = []
    real = llguidance.LLMatcher

    class Counted:
        grammar_from_lark = staticmethod(real.grammar_from_lark)
        grammar_from_json_schema = staticmethod(real.grammar_from_json_schema)

        def __new__(cls, tokenizer: Any, grammar: str, **how: Any) -> Any:
            compiled.append(grammar)
            return real(tokenizer, grammar, **how)

    monkeypatch.setattr(llguidance, "LLMatcher", Counted)
    for _ in range(3):
        backend.run([row({"json": COLOUR}), row({"choice": ["a"]}), row({"json": COLOUR})])
    assert len(compiled) == 2
    backend.run([row({"choice": [str(number)]}) for number in range(80)])
    assert len(backend.grammars._kept) == 64


def test_a_conversation_is_answered_in_form(load: Load) -> None:
    given = {"messages": [[{"role": "user", "content": "who?"}]], "max_new_tokens": 200}
    asked: TaskInput = ChatInput.validated({**given, "structured_outputs": {"json": PERSON}})
    [answer] = load("chat").run([asked])
    assert _valid(said(answer).text, PERSON)


def _against(backend: Any, text: str, ends: bool) -> dict[str, float]:
    """A bias of -100 for each token of a text; +100 for one that ends, if so wished."""
    ids = backend.tokenizer(text)["input_ids"]
    bias = {str(token): -100.0 for token in ids}
    return bias | ({str(backend.tokenizer.eos_token_id): 100.0} if ends else {})


#: What would keep a text from its form, or draw it out of it.
PULLS: list[dict[str, Any]] = [
    {"min_new_tokens": 60},
    {"repetition_penalty": 50.0},
    {"presence_penalty": 2.0, "frequency_penalty": 2.0},
    {"presence_penalty": -2.0, "frequency_penalty": -2.0, "repetition_penalty": 0.01},
    {"do_sample": True, "seed": 3, "temperature": 1.5, "top_k": 1, "min_new_tokens": 50},
    {"do_sample": True, "seed": 4, "top_p": 0.01, "frequency_penalty": 2.0},
    {"do_sample": True, "seed": 5, "typical_p": 0.01, "repetition_penalty": 3.0},
]


def _pulled(backend: Any) -> list[tuple[TextGenerationInput, Callable[[str], bool]]]:
    found = []
    for number, pull in enumerate(PULLS):
        form, holds = FORMS[("choice", "regex", "another json")[number % 3]]
        bias = _against(backend, "yes no abc-123", ends=bool(number % 2))
        found.append((row(form, **pull, logit_bias=bias, logprobs=2), holds))
    return found


def test_a_form_goes_before_all_else_that_is_asked(backend: Any) -> None:
    rows = _pulled(backend)
    answers = backend.stream([each for each, _ in rows], [None] * len(rows))
    for answer, (_, holds) in zip(answers, rows, strict=True):
        generation = said(answer)
        assert generation.finish_reason == "stop"
        assert holds(generation.text)


def test_rows_of_a_form_and_of_pulls_say_alone_what_they_say_beside_others(
    backend: Any, load: Load
) -> None:
    rows = [each for each, _ in _pulled(backend)]
    rows += [row(None, max_new_tokens=12, do_sample=True, seed=seed) for seed in range(3)]
    silent: list[Any] = [None] * len(rows)
    together = [said(answer) for answer in backend.stream(rows, silent)]
    alone = [said(backend.stream([each], [None])[0]) for each in rows]
    assert [each.text for each in together] == [each.text for each in alone]
    other = load(continuous=backend._running is None)
    assert [said(answer).text for answer in other.stream(rows, silent)] == [g.text for g in alone]
