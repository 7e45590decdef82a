"""A request of OpenAI's Responses API, as far as it is a conversation in other words."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from ....protocol.errors import InvalidRequest
from .chat_requests import ChatRequest
from .requests import OpenAIRequest, validated

#: What parts of a message are called there -> in chat.
_PARTS = {"input_text": "text", "output_text": "text", "text": "text"}

#: Fields that chat has alike.
_ALIKE = ("model", "temperature", "top_p", "stream", "parallel_tool_calls", "user", "metadata")


class ResponsesRequest(OpenAIRequest):
    """What is to be answered, and how. What would need a memory of the server's is refused."""

    input: str | list[dict[str, Any]] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    truncation: str | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    background: bool | None = None
    reasoning: dict[str, Any] | None = None
    max_tool_calls: int | None = None

    @field_validator(
        *("previous_response_id", "conversation", "prompt", "background", "max_tool_calls"),
        "top_logprobs",
    )
    @classmethod
    def _not_here(cls, value: object) -> object:
        if value:
            raise ValueError("is not supported here; send the whole conversation as input")
        return value

    @field_validator("reasoning", "include")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        said = value.values() if isinstance(value, dict) else value or ()
        asked = [each for each in said if each not in (None, "reasoning.encrypted_content")]
        if asked:
            raise ValueError("is not supported here: these models tell no reasoning of their own")
        return value

    @field_validator("text")
    @classmethod
    def _format_alone(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        given = {name: inner for name, inner in (value or {}).items() if inner is not None}
        if not isinstance(given.get("format", {}), dict):
            raise ValueError("format: expected an object")  # noqa: TRY004 # pydantic wants it so
        if given.keys() - {"format", "verbosity"} or given.get("verbosity", "medium") != "medium":
            raise ValueError("format is what it may say; verbosity is medium")
        return given or None

    @field_validator("truncation")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        if value not in (None, "disabled"):
            raise ValueError("only disabled is supported: a conversation is read whole or refused")
        return value

    def chat(self) -> ChatRequest:
        """The same as a request of chat. Raises InvalidRequest in this API's words."""
        fields = {name: getattr(self, name) for name in _ALIKE}
        fields["messages"] = self._messages()
        fields["max_completion_tokens"] = self.max_output_tokens
        if self.tools:
            fields["tools"] = [_tool(tool, place) for place, tool in enumerate(self.tools)]
            fields["tool_choice"] = _choice(self.tool_choice)
        format_ = (self.text or {}).get("format")
        if format_ is not None and format_.get("type", "text") != "text":
            fields["response_format"] = _format(format_)
        return validated(ChatRequest, fields)

    def _messages(self) -> list[dict[str, Any]]:
        first = [{"role": "system", "content": self.instructions}] if self.instructions else []
        if isinstance(self.input, str):
            return [*first, {"role": "user", "content": self.input}]
        said: list[dict[str, Any]] = []
        for place, item in enumerate(self.input):
            message = _message(item, f"input[{place}]")
            if message.get("tool_calls") and said and said[-1].get("tool_calls"):
                said[-1]["tool_calls"] += message["tool_calls"]  # those of one answer
            elif message:
                said.append(message)
        return [*first, *said]


def _message(item: dict[str, Any], where: str) -> dict[str, Any]:
    """An item of the input as a message; nothing for what a model said to itself."""
    kind = item.get("type", "message")
    if kind == "reasoning":
        return {}
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "tool_calls": [call]}
    if kind == "function_call_output":
        output = item.get("output")
        content = output if isinstance(output, str) else _parts(output, f"{where}.output")
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": content}
    if kind != "message":
        raise InvalidRequest(f"{where}.type: {str(kind)[:60]!r} is not supported here")
    said: Any = item.get("content")
    content = said if isinstance(said, str) else _parts(said, f"{where}.content")
    return {"role": item.get("role"), "content": content}


def _parts(content: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise InvalidRequest(f"{where}: expected a text or a list of parts")
    return [_part(part, f"{where}[{place}]") for place, part in enumerate(content)]


def _part(part: Any, where: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _PARTS:
        return {"type": "text", "text": part.get("text")}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    raise InvalidRequest(
        f"{where}.type: {str(kind)[:60]!r} is not supported here; input_text is, and input_image "
        "with image_url"
    )


def _tool(tool: dict[str, Any], place: int) -> dict[str, Any]:
    """A function; there its fields stand beside its type."""
    if tool.get("type") != "function":
        kind = str(tool.get("type"))[:60]
        raise InvalidRequest(f"tools[{place}].type: {kind!r} is not supported here; function is")
    return {"type": "function", "function": {n: v for n, v in tool.items() if n != "type"}}


def _choice(choice: str | dict[str, Any] | None) -> object:
    if isinstance(choice, dict) and "name" in choice:
        return {"type": choice.get("type"), "function": {"name": choice["name"]}}
    return choice


def _format(format_: dict[str, Any]) -> dict[str, Any]:
    """`text.format` as chat's `response_format`. Raises InvalidRequest."""
    if format_.get("type") != "json_schema":
        return format_
    inner = {name: value for name, value in format_.items() if name != "type"}
    if inner.get("schema") is None:
        raise InvalidRequest("text.format.schema: missing")
    return {"type": "json_schema", "json_schema": inner}
