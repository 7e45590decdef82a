"""What servers answer that no specification has: a row fails by it, or is read as it was meant."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from wherry.tasks.backends.endpoint.faults import BrokenError
from wherry.tasks.backends.endpoint.http import Http
from wherry.tasks.backends.endpoint.protocols import protocol_class, streams
from wherry.tasks.backends.endpoint.protocols.base import RemoteModel, Told
from wherry.tasks.base import TaskInput
from wherry.tasks.egress.allowed import Allowed
from wherry.tasks.egress.guard import OutboundGuard
from wherry.tasks.registry import get_task
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Token

KEY = "sk-0123456789"


async def anywhere(host: str, port: int) -> Sequence[str]:
    return ["93.184.216.34"]


def asked(
    body: bytes,
    *,
    task: str = "text-generation",
    protocol: str = "openai",
    row: TaskInput | None = None,
    told: list[Token] | None = None,
) -> Told:
    """What a row is answered by a server that says this to all."""

    async def run() -> Told:
        guard = OutboundGuard(
            Allowed.of("https", "host", setting="WHERRY_ENDPOINT"),
            resolve=anywhere,
            transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Once(body))),
        )
        http = Http("https://host/v1", {"Authorization": f"Bearer {KEY}"}, guard, 5.0)
        model = RemoteModel(model="m")
        server = protocol_class(protocol)(get_task(task), model, http)
        rows = [row or TextGenerationInput(texts=["a"])]
        try:
            return await server.ask(rows, None if told is None else told.append)
        finally:
            await server.close()

    return asyncio.run(run())


class Once(httpx.AsyncByteStream):
    """A body, as it comes over a socket."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> Any:
        yield self._body


def completion(**fields: Any) -> bytes:
    choice = {"index": 0, "text": "hello", "finish_reason": "stop"}
    return json.dumps({"choices": [{**choice, **fields.pop("choice", {})}], **fields}).encode()


@pytest.mark.parametrize(
    "count", [-5, 10**30, math.inf, math.nan, "7", [1]], ids=lambda count: str(count)[:8]
)
def test_what_is_no_count_of_tokens_is_neither_answered_nor_charged(count: object) -> None:
    with pytest.raises(BrokenError, match="counts its tokens"):
        asked(completion(usage={"prompt_tokens": count, "completion_tokens": 1}))


@pytest.mark.parametrize("usage", [[1], "x", 5])
def test_a_usage_that_is_no_object_is_none(usage: object) -> None:
    with pytest.raises(BrokenError):
        asked(completion(usage=usage))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_in_parts_is_their_text(streamed: bool) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "well"}]},
        {"type": "text", "text": "hel"},
        {"type": "text", "text": "lo"},
    ]
    row = ChatInput(messages=[[{"role": "user", "content": "hi"}]])
    told: list[Token] = []
    if streamed:
        event = json.dumps({"choices": [{"delta": {"content": parts}}]})
        body = f"data: {event}\n\ndata: [DONE]\n\n".encode()
    else:
        body = completion(choice={"message": {"content": parts}})
    [answer] = asked(body, task="chat", row=row, told=told if streamed else None).rows
    assert answer.generations[0].text == "hello"  # type: ignore[union-attr] # of a chat
    assert [token.text for token in told] == (["hello"] if streamed else [])


@pytest.mark.parametrize("content", [5, {"text": "x"}, [{"type": "text", "text": 5}]])
def test_a_text_that_is_none_is_not_made_one(content: object) -> None:
    with pytest.raises(BrokenError, match="no text"):
        asked(completion(choice={"text": content}))


def test_a_logprob_that_is_no_number_is_the_least() -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [math.nan, -math.inf]}
    [answer] = asked(completion(choice={"logprobs": logprobs})).rows
    tokens = answer.generations[0].tokens  # type: ignore[union-attr] # of a text
    assert [token.logprob for token in tokens] == [-9999.0, -9999.0]


@pytest.mark.parametrize(
    "event", [b'{"choices":[{"text":"\\ud800"}]}', b"[" * 100_000, b"garbage"], ids=len
)
def test_an_event_that_cannot_be_read_is_told_to_nobody(event: bytes) -> None:
    told: list[Token] = []
    with pytest.raises(BrokenError, match="no JSON"):
        asked(b"data: " + event + b"\n\ndata: [DONE]\n\n", told=told)
    assert told == []


def test_a_stream_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST_BYTES", 1000)
    with pytest.raises(BrokenError, match="over 1000 bytes"):
        asked(b'data: {"choices":[{"text":"a"}]}\n\n' * 100, told=[])


@pytest.mark.parametrize("protocol", ["oip", "openai"])
@pytest.mark.parametrize("body", [b"", b'{"text": "a"}', b'data: {"id": "1"}\n\n'], ids=len)
def test_a_stream_without_a_text_is_not_an_empty_one(protocol: str, body: bytes) -> None:
    with pytest.raises(BrokenError, match="stream ended without an answer"):
        asked(body + b"\ndata: [DONE]\n\n", protocol=protocol, told=[])


def test_a_streams_error_has_no_key() -> None:
    event = json.dumps({"error": f"Bearer {KEY} is wrong"}).encode()
    with pytest.raises(BrokenError) as raised:
        asked(b"data: " + event + b"\n\n", protocol="oip", told=[])
    assert "is wrong" in str(raised.value)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("document", [[], {}, [{"x": 1}], "x", 5, None])
def test_what_is_no_text_of_hugging_faces_is_none(document: object) -> None:
    task = get_task("summarization")
    with pytest.raises(BrokenError, match="none of summarization"):
        asked(
            json.dumps(document).encode(),
            task=task.name,
            protocol="huggingface",
            row=task.input.validated({"texts": ["a"]}),
        )
