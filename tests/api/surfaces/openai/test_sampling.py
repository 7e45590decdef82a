"""How OpenAI's words, and vLLM's beside them, become parameters of a text."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from wherry import __version__
from wherry.api.http.documents import validated
from wherry.api.surfaces.openai.chat_requests import ChatRequest
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.generation import MAX_NEW_TOKENS

from ...conftest import Worker

HELLO = [{"role": "user", "content": "hi"}]


def asked(**fields: Any) -> ChatInput:
    request = validated(ChatRequest, {"model": "chat", "messages": HELLO, **fields})
    return ChatInput.validated({"messages": [HELLO], **request.parameters()})


def test_each_word_has_its_parameter() -> None:
    given = asked(
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        logit_bias={"7": -100},
        min_tokens=3,
        typical_p=0.9,
    )
    assert (given.presence_penalty, given.frequency_penalty) == (0.5, -0.5)
    assert (given.logit_bias, given.min_new_tokens) == ({"7": -100}, 3)
    assert (given.typical_p, given.do_sample) == (0.9, True)
    assert asked(ignore_eos=True).min_new_tokens == MAX_NEW_TOKENS
    assert asked(ignore_eos=False).min_new_tokens is None


@pytest.mark.parametrize(
    ("fields", "draws"),
    [
        ({"top_p": 0}, False),
        ({"top_p": 0, "temperature": 1}, False),
        ({"top_p": 0.5}, True),
        ({"top_p": 1}, True),
        ({"temperature": 0, "top_p": 0.5}, False),
        ({}, False),
    ],
)
def test_a_sum_of_nothing_takes_the_likeliest(fields: dict[str, Any], draws: bool) -> None:
    assert asked(**fields).do_sample is draws


def test_nothing_is_said_by_zeros() -> None:
    zeros = {"presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}, "min_tokens": 0}
    assert asked(**zeros) == asked()


def test_answers_say_what_made_them(http: httpx.Client, serving: Worker) -> None:
    chat = {"model": "chat", "messages": HELLO}
    whole = http.post("/v1/chat/completions", json=chat).json()
    assert whole["system_fingerprint"] == f"wherry_{__version__}"
    streamed = http.post("/v1/chat/completions", json={**chat, "stream": True}).text
    assert f'"system_fingerprint":"wherry_{__version__}"' in streamed
    text = {"model": "text-generation", "prompt": "a"}
    said = http.post("/v1/completions", json=text).json()
    assert said["system_fingerprint"] == f"wherry_{__version__}"


def test_the_likeliest_tokens_are_told(http: httpx.Client, serving: Worker) -> None:
    body = {"model": "chat", "messages": HELLO, "logprobs": True, "top_logprobs": 3}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()["choices"][0]["logprobs"]["content"]
    assert tokens
    for token in tokens:
        assert len(token["top_logprobs"]) == 3
        assert all(each["bytes"] == list(each["token"].encode()) for each in token["top_logprobs"])
    body["top_logprobs"] = 0
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.json()["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]]])
def test_token_numbers_to_embed_are_refused_with_the_remedy(
    http: httpx.Client, serving: Worker, tokens: Any
) -> None:
    answer = http.post("/v1/embeddings", json={"model": "embedding", "input": tokens})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "input"
    assert "check_embedding_ctx_length=False" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/assistants", 404, "not_found"),
        ("GET", "/v1/fine_tuning/jobs", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_said_as_openai_says_it(
    http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
