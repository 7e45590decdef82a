"""A chat completion as OpenAI's clients read it, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....tasks.text.generation import Generation
from ....tasks.text.tokens import Candidate, Token
from ....tasks.text.tool_use import ToolCall
from ...http.sse import event
from .choices import DONE, ChoiceDelta, usage_of
from .requests import FINGERPRINT, new_id, now


class ChatReply:
    """One answer, whole or in parts."""

    def __init__(self, model: str, *, logprobs: bool) -> None:
        self._head = {"id": new_id("chatcmpl"), "created": now(), "model": model}
        self._head["system_fingerprint"] = FINGERPRINT
        self._logprobs = logprobs

    def whole(self, found: Sequence[Generation]) -> dict[str, Any]:
        """The answer."""
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": index,
                    "message": _message(generation),
                    "logprobs": self._chances(generation.tokens or ()),
                    "finish_reason": generation.finish_reason,
                }
                for index, generation in enumerate(found)
            ],
            "usage": usage_of(found, len(found)),
        }

    def begin(self, index: int) -> list[bytes]:
        """A choice's first events."""
        return [self._chunk(index, {"role": "assistant", "content": ""})]

    def part(self, said: ChoiceDelta) -> bytes:
        """What a choice says next; calls are told once they are whole."""
        calls = said.end.tool_calls or () if said.end else ()
        delta: dict[str, object] = {"content": said.text} if said.text or not said.end else {}
        if not calls:
            return self._last(said, delta)
        told = [self._chunk(said.index, delta)] if said.text else []
        for place, call in enumerate(calls):
            told += [
                self._chunk(said.index, {"tool_calls": [part]}) for part in _parts(place, call)
            ]
        return b"".join([*told, self._last(said, {})])

    def _last(self, said: ChoiceDelta, delta: Mapping[str, object]) -> bytes:
        return self._chunk(
            said.index,
            delta,
            logprobs=self._chances(said.tokens),
            finish_reason=said.end.finish_reason if said.end else None,
        )

    def end(self, ends: Sequence[Generation], *, usage: bool) -> list[bytes]:
        """The last events."""
        if not usage:
            return [DONE]
        counted = {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_of(ends, len(ends)),
        }
        return [event(counted), DONE]

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, object],
        *,
        logprobs: object = None,
        finish_reason: str | None = None,
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        return event({**self._head, "object": "chat.completion.chunk", "choices": [choice]})

    def _chances(self, tokens: Sequence[Token]) -> dict[str, object] | None:
        if not self._logprobs or not tokens:
            return None
        return {"content": [_chance(token) for token in tokens], "refusal": None}


def _message(generation: Generation) -> dict[str, object]:
    calls = generation.tool_calls
    content = generation.text or (None if calls else "")
    said: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
    return {**said, "tool_calls": list(calls)} if calls else said


def _parts(place: int, call: ToolCall) -> Iterator[dict[str, object]]:
    """A call in two: whose it is, and with what."""
    function = call["function"]
    named = {"name": function["name"], "arguments": ""}
    yield {"index": place, "id": call["id"], "type": "function", "function": named}
    yield {"index": place, "function": {"arguments": function["arguments"]}}


def _chance(token: Token) -> dict[str, object]:
    return {**_told(token), "top_logprobs": [_told(other) for other in token.top]}


def _told(token: Token | Candidate) -> dict[str, object]:
    return {
        "token": token.text,
        "logprob": token.logprob,
        "bytes": list(token.text.encode()),
    }
