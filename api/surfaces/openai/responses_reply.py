"""An answer of OpenAI's Responses API, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....tasks.text.generation import Generation
from ....tasks.text.tool_use import ToolCall
from ...http.sse import event
from . import requests
from .choices import ChoiceDelta
from .responses_requests import ResponsesRequest


def new_id(kind: str) -> str:
    """An id as those of this API look: with an underscore."""
    return requests.new_id(kind).replace("-", "_", 1)


class ResponsesReply:
    """The answer, and the events that tell of it as it grows."""

    def __init__(self, model: str, asked: ResponsesRequest) -> None:
        self._message_id = new_id("msg")
        self._text, self._number = "", 0
        self._begun = False
        self._head: dict[str, Any] = {
            "id": new_id("resp"),
            "object": "response",
            "created_at": requests.now(),
            "model": model,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": None,
            "store": False,  # nothing is kept that could be asked for later
            "temperature": asked.temperature,
            "text": asked.text or {"format": {"type": "text"}},
            "tool_choice": asked.tool_choice or "auto",
            "tools": asked.tools or [],
            "top_p": asked.top_p,
            "truncation": "disabled",
        }

    def whole(self, found: Sequence[Generation]) -> dict[str, Any]:
        """The answer."""
        [generation] = found
        calls = [_call(call) for call in generation.tool_calls or ()]
        said = generation.text or not calls
        cut = generation.finish_reason == "length"
        status = "incomplete" if cut else "completed"
        message = [self._message(generation.text, status)] if said else []
        return {
            **self._head,
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [*message, *calls],
            "usage": _usage(generation),
        }

    def begin(self, index: int) -> list[bytes]:  # noqa: ARG002 # there is one
        """The first events."""
        begun = {**self._head, "status": "in_progress", "output": [], "usage": None}
        return [
            self._event("response.created", response=begun),
            self._event("response.in_progress", response=begun),
        ]

    def part(self, said: ChoiceDelta) -> bytes:
        """What is said next; a message begins with its first word."""
        told: list[bytes] = []
        calls = said.end.tool_calls if said.end else None
        if said.text or (said.end and not calls and not self._begun):
            told += self._begin_message()
        if said.text:
            self._text += said.text
            told.append(self._event("response.output_text.delta", **self._place(delta=said.text)))
        if said.end:
            told += self._end_message(said.end)
            first = int(self._begun)
            for place, call in enumerate(calls or (), first):
                told += self._tell_call(place, call)
        return b"".join(told)

    def end(self, ends: Sequence[Generation], *, usage: bool) -> list[bytes]:  # noqa: ARG002 # it is always there
        """The whole answer."""
        response = self.whole(ends)
        kind = "incomplete" if response["status"] == "incomplete" else "completed"
        return [self._event(f"response.{kind}", response=response)]

    def _begin_message(self) -> Iterator[bytes]:
        if self._begun:
            return
        self._begun = True
        item = {**self._message("", "in_progress"), "content": []}
        yield self._event("response.output_item.added", output_index=0, item=item)
        part = _text_part("")
        yield self._event("response.content_part.added", **self._place(part=part))

    def _end_message(self, end: Generation) -> Iterator[bytes]:
        if not self._begun:
            return
        status = "incomplete" if end.finish_reason == "length" else "completed"
        yield self._event("response.output_text.done", **self._place(text=self._text, logprobs=[]))
        part = _text_part(self._text)
        yield self._event("response.content_part.done", **self._place(part=part))
        item = self._message(self._text, status)
        yield self._event("response.output_item.done", output_index=0, item=item)

    def _tell_call(self, place: int, call: ToolCall) -> Iterator[bytes]:
        item = _call(call)
        arguments = item["arguments"]
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=place, item=begun)
        where = {"item_id": item["id"], "output_index": place}
        yield self._event("response.function_call_arguments.delta", **where, delta=arguments)
        done = {**where, "name": item["name"], "arguments": arguments}
        yield self._event("response.function_call_arguments.done", **done)
        yield self._event("response.output_item.done", output_index=place, item=item)

    def _place(self, **fields: object) -> dict[str, object]:
        named: dict[str, object] = {"logprobs": []} if "delta" in fields else {}
        where = {"item_id": self._message_id, "output_index": 0, "content_index": 0}
        return {**where, **fields, **named}

    def _message(self, text: str, status: str) -> dict[str, object]:
        return {
            "id": self._message_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [_text_part(text)],
        }

    def _event(self, kind: str, **fields: object) -> bytes:
        number, self._number = self._number, self._number + 1
        return event({"type": kind, "sequence_number": number, **fields}, kind=kind)


def _text_part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": f"fc_{call['id']}",
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        **call["function"],
    }


def _usage(generation: Generation) -> Mapping[str, object]:
    read, made = generation.prompt_tokens, generation.completion_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + made,
    }
