"""Texts in OpenAI's words: what a row asks for, and what a choice holds, whole or in deltas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .....protocol.errors import RowError
from ....base import TaskInput
from ....text.chat import ChatInput
from ....text.generation import FormedInput, GenerationInput
from ....text.structured_outputs import StructuredOutputs
from ....text.tokens import Token
from ....text.tool_use import ToolCall
from ..faults import BrokenError
from .base import UNNUMBERED
from .openai_tokens import tokens_told

#: Tokens that an answer may count, at most: what is more is no count.
_MOST_TOKENS = 1 << 31

#: Calls of one answer, at most.
_MOST_CALLS = 128

_CALL: TypeAdapter[ToolCall] = TypeAdapter(ToolCall)


def sampling(row: TaskInput) -> dict[str, Any]:
    """How to draw, of what every task that writes has; left out where the server is to choose.

    Raises RowError for what these words cannot say.
    """
    given = row.model_dump(exclude_defaults=True, exclude=set(row.ROWS))
    if (given.get("num_beams") or 1) > 1:
        raise RowError("num_beams: an OpenAI endpoint follows one text at a time")
    if given.get("typical_p") is not None:
        raise RowError("typical_p: an OpenAI endpoint has no such parameter")
    fields = {
        "max_tokens": getattr(row, "max_new_tokens", None),
        "temperature": given.get("temperature") if given.get("do_sample") else 0,
        **{name: given.get(name) for name in ("top_p", "seed")},
        "stop": given.get("stop") or None,
    }
    if isinstance(row, GenerationInput):
        alike = ("top_k", "repetition_penalty", "presence_penalty", "frequency_penalty")
        fields |= {name: given.get(name) for name in (*alike, "logit_bias")}
        fields["min_tokens"] = given.get("min_new_tokens")
    if isinstance(row, FormedInput) and row.structured_outputs is not None:
        fields |= _form(row.structured_outputs)
    return fields


def _form(form: StructuredOutputs) -> dict[str, Any]:
    """OpenAI's words for JSON, vLLM's for all else."""
    if "json" in form:
        schema = {"name": "answer", "schema": form["json"], "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if "json_object" in form:
        return {"response_format": {"type": "json_object"}}
    return {"structured_outputs": form}


def tools(row: ChatInput) -> dict[str, Any]:
    """The tools that the model hears of."""
    if not row.called:
        return {}
    return {
        "tools": row.called,
        "tool_choice": row.tool_choice,
        "parallel_tool_calls": row.parallel_tool_calls,
    }


class Deltas:
    """A choice that comes in parts."""

    def __init__(self) -> None:
        self._text, self._why, self._usage = "", "stop", dict[str, Any]()
        self._tokens: list[Token] = []
        self._begun = False
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, event: Any) -> list[Token]:
        """Take an event's part; answers the tokens that it brought. Raises BrokenError."""
        if "error" in event:
            raise BrokenError("the endpoint's stream ended with an error")
        self._usage = event.get("usage") or self._usage
        brought: list[Token] = []
        for choice in event.get("choices") or ():
            delta, self._begun = choice.get("delta") or {}, True
            text = text_of(delta.get("content") or choice.get("text"))
            brought += tokens_told(choice.get("logprobs")) or (
                [Token(UNNUMBERED, text, None)] if text else []
            )
            self._text += text
            self._why = choice.get("finish_reason") or self._why
            for part in delta.get("tool_calls") or ():
                self._add_call(part)
        self._tokens += brought
        return brought

    def _add_call(self, part: Any) -> None:
        try:
            place, function = int(part.get("index") or 0), part.get("function") or {}
            call = self._calls.setdefault(place, {"id": "", "name": "", "arguments": ""})
            call["id"] = part.get("id") or call["id"]
            call["name"] = function.get("name") or call["name"]
            call["arguments"] += function.get("arguments") or ""
        except (AttributeError, TypeError, ValueError):
            raise BrokenError("the endpoint's call of a tool cannot be read") from None
        if len(self._calls) > _MOST_CALLS:
            raise BrokenError(f"the endpoint calls more than {_MOST_CALLS} tools")

    def whole(self) -> Any:
        """As it would have come at once. Raises BrokenError where nothing came."""
        if not self._begun:
            raise BrokenError("the endpoint's stream ended without an answer")
        calls = [
            {"id": call.pop("id"), "type": "function", "function": call}
            for _, call in sorted(self._calls.items())
        ]
        choice = {
            "message": {"content": self._text, "tool_calls": calls},
            "finish_reason": self._why,
            "logprobs": self._tokens,
        }
        return {
            "choices": [choice],
            "usage": {"completion_tokens": len(self._tokens), **self._usage},
        }


def read_choice(document: Any) -> tuple[str, str, Mapping[str, Any], Mapping[str, Any]]:
    """The text, why it ended, all of the choice, and what was counted. Raises BrokenError."""
    try:
        choice = document["choices"][0]
        text = choice["message"].get("content") if "message" in choice else choice["text"]
        usage = document.get("usage") or {}
        return text_of(text), str(choice.get("finish_reason") or "stop"), choice, usage
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BrokenError("the endpoint's answer holds no text") from None


def calls_of(choice: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """The tools that a choice wants called. Raises BrokenError for one that cannot be read."""
    found = (choice.get("message") or {}).get("tool_calls") or ()
    try:
        return tuple(_CALL.validate_python(call) for call in found[:_MOST_CALLS])
    except (ValidationError, TypeError):
        raise BrokenError("the endpoint's call of a tool cannot be read") from None


def text_of(content: Any) -> str:
    """What was written: a text, or parts of which some are text and others the way to it."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise BrokenError("the endpoint's answer holds no text")
    kinds = ("text", "output_text")
    parts = [part for part in content if isinstance(part, Mapping) and part.get("type") in kinds]
    return "".join(text_of(part.get("text")) for part in parts)


def counted(usage: Any, kind: str) -> int:
    """Tokens that an answer counts; 0 where it counts none. Raises BrokenError for what is no
    count.
    """
    count = (usage or {}).get(f"{kind}_tokens") if isinstance(usage or {}, Mapping) else ""
    if count is None:
        return 0
    if isinstance(count, int | float) and 0 <= count <= _MOST_TOKENS:
        return int(count)
    raise BrokenError("the endpoint counts its tokens in no number")
