"""Logprobs as OpenAI's completions have them: parallel lists, the prompt's first with `echo`."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import httpx
import pytest

from ...conftest import Worker

PROMPT = "The boat is late"
LISTS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")

Choice = dict[str, Any]


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "text-generation", "prompt": PROMPT, "logprobs": 1, **fields}


def whole(http: httpx.Client, **fields: Any) -> list[Choice]:
    answer = http.post("/v1/completions", json=asked(**fields))
    assert answer.status_code == 200, answer.text
    choices: list[Choice] = answer.json()["choices"]
    return choices


def streamed(http: httpx.Client, **fields: Any) -> list[Choice]:
    """The choices that a stream's events add up to."""
    answer = http.post("/v1/completions", json=asked(stream=True, **fields))
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines.pop() == "[DONE]"
    made: dict[int, Choice] = {}
    for part in (choice for line in lines for choice in json.loads(line)["choices"]):
        choice = made.setdefault(part["index"], {**part, "text": "", "logprobs": None})
        choice["text"] += part["text"]
        choice["finish_reason"] = part["finish_reason"]
        if part["logprobs"]:
            choice["logprobs"] = choice["logprobs"] or {name: [] for name in LISTS}
            for name in LISTS:
                choice["logprobs"][name] += part["logprobs"][name]
    return [made[index] for index in sorted(made)]


PROMPTS = [
    PROMPT,
    [PROMPT, "One two three"],
    [11, 12, 13],
    [[11, 12, 13], [14, 15]],
]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("more", [{}, {"max_tokens": 0}, {"logprobs": 0}, {"logprobs": 5}])
def test_echo_has_the_prompts_tokens_too(
    http: httpx.Client, serving: Worker, prompt: Any, more: dict[str, Any]
) -> None:
    for choice in whole(http, prompt=prompt, echo=True, **more):
        lists = choice["logprobs"]
        tokens = lists["tokens"]
        assert {len(lists[name]) for name in LISTS} == {len(tokens)}
        assert "".join(tokens) == choice["text"]
        assert lists["text_offset"] == [*accumulate(map(len, tokens), initial=0)][:-1]
        assert lists["token_logprobs"][0] is None
        assert lists["top_logprobs"][0] is None
        rest = zip(*(lists[name][1:] for name in LISTS[:3]), strict=True)
        for token, logprob, top in rest:
            assert top[token] == logprob
            assert len(top) == 1 + more.get("logprobs", 1)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("echo", [True, False])
def test_a_stream_adds_up_to_the_whole(
    http: httpx.Client, serving: Worker, prompt: Any, *, echo: bool
) -> None:
    given: dict[str, Any] = {"prompt": prompt, "echo": echo, "logprobs": 2}
    assert streamed(http, **given) == whole(http, **given)


def test_without_echo_offsets_count_the_answered_text(http: httpx.Client, serving: Worker) -> None:
    [choice] = whole(http)
    assert choice["text"] == " Paris."
    assert choice["logprobs"]["text_offset"] == [0]
    assert choice["logprobs"]["token_logprobs"] == [0.0]


@pytest.mark.parametrize("stream", [True, False])
def test_numbers_are_echoed_as_their_text(
    http: httpx.Client, serving: Worker, *, stream: bool
) -> None:
    made = (streamed if stream else whole)(http, prompt=[11, 12], echo=True, logprobs=None)
    assert [(choice["text"], choice["logprobs"]) for choice in made] == [(" 11 12 Paris.", None)]


def test_no_tokens_may_be_asked_for(http: httpx.Client, serving: Worker) -> None:
    [choice] = whole(http, max_tokens=0, logprobs=None)
    assert (choice["text"], choice["finish_reason"]) == ("", "length")


def test_chat_has_the_tokens_of_its_answer(http: httpx.Client, serving: Worker) -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "logprobs": True}
    [choice] = http.post("/v1/chat/completions", json=body).json()["choices"]
    said = choice["logprobs"]["content"]
    assert "".join(entry["token"] for entry in said) == choice["message"]["content"]
    assert {tuple(entry) for entry in said} == {("token", "logprob", "bytes", "top_logprobs")}
    plain = http.post("/v1/chat/completions", json={**body, "logprobs": False})
    assert plain.json()["choices"][0]["logprobs"] is None


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ([[1], []], {}),
        ([[1.5]], {}),
        ([True], {}),
        ([-1], {}),
        ([2**31], {}),
        ([], {}),
        ([[["a"]]], {}),
    ],
)
def test_what_is_no_prompt_is_refused(
    http: httpx.Client, prompt: Any, more: dict[str, Any]
) -> None:
    answer = http.post("/v1/completions", json=asked(prompt=prompt))
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"].startswith("prompt"), answer.text


def test_twenty_candidates_are_the_most(http: httpx.Client) -> None:
    answer = http.post("/v1/completions", json=asked(logprobs=21))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "logprobs")
