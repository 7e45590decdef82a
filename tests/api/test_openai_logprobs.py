"""Logprobs as OpenAI's completions have them: parallel lists, the prompt's first with `echo`."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import httpx
import pytest

from wherry.jobs.fleet import view

from .conftest import Worker

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


def test_five_candidates_are_the_most(http: httpx.Client) -> None:
    answer = http.post("/v1/completions", json=asked(logprobs=6))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "logprobs")


CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "logprobs": True}


@pytest.mark.parametrize(
    ("path", "body"), [("completions", asked(echo=True)), ("chat/completions", CHAT)]
)
def test_waiting_for_logprobs_ends_in_time(
    http: httpx.Client, worker: Worker, path: str, body: dict[str, Any]
) -> None:
    worker.beat("text")  # it is there, and does nothing
    answer = http.post(f"/v1/{path}", json=body)
    assert answer.status_code == 504, answer.text
    assert "no answer yet; poll /v2/jobs/" in answer.json()["error"]["message"]


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """What the server logs as an error, its own loggers' included."""
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "wherry")]
    for logger in loggers:
        logger.addHandler(caplog.handler)
    yield caplog.records
    for logger in loggers:
        logger.removeHandler(caplog.handler)


@pytest.mark.parametrize(
    ("path", "body"), [("completions", asked(echo=True)), ("chat/completions", CHAT)]
)
def test_who_hangs_up_is_no_error_and_its_job_ends(
    http: httpx.Client,
    worker: Worker,
    errors: list[logging.LogRecord],
    path: str,
    body: dict[str, Any],
) -> None:
    content = json.dumps(body).encode()
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port)) as client:
        client.sendall(head.encode() + content)
        while not (jobs := http.get("/v2/jobs").json()["jobs"]):
            pass
    path = f"/v2/jobs/{jobs[0]['id']}"
    status = http.get(path, params={"wait": 3}).json()["status"]
    assert status == "canceled"
    assert not worker.queue.run(view(worker.jobs)).groups or not worker.claim()
    assert not [record for record in errors if record.levelno >= logging.WARNING]
