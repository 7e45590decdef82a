"""A conversation as OpenAI's clients send it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ....protocol import v2
from ....protocol.errors import InvalidRequest
from ....protocol.first_fault import FirstFault, few_fields
from ....tasks.text.generation import MAX_LOGPROBS
from ....tasks.text.tool_use import Tool, ToolCall, ToolChoice, check_tools
from .requests import NullIsAbsent
from .sampling import SamplingRequest


class ImageUrl(NullIsAbsent):
    """Where an image is: in the text itself, as a data URI."""

    url: str
    detail: Any = None


class InputAudio(NullIsAbsent):
    """A sound in base64. Its bytes say the format, whatever is said of it."""

    data: str
    format: str = "wav"


class ContentPart(NullIsAbsent, FirstFault):
    """A part of a message."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "image_url", "input_audio"]
    text: str = ""
    image_url: ImageUrl | None = None
    input_audio: InputAudio | None = None

    _few_fields = model_validator(mode="before")(few_fields)

    @model_validator(mode="after")
    def _check_content(self) -> ContentPart:
        files = {"image_url": self.image_url, "input_audio": self.input_audio}
        if any((self.type == name) != (file is not None) for name, file in files.items()):
            raise ValueError(f"type {self.type!r} has the field of the same name, and no other")
        return self


class ChatMessage(NullIsAbsent):
    """What one side said, wanted called, or answered to a call."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _check_calls(self) -> ChatMessage:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("tool_calls: only the assistant wants something called")
        if self.role == "tool" and self.content is None:
            raise ValueError("content: missing")
        return self

    def row(self) -> dict[str, Any]:
        """The message as our task takes it."""
        role = "system" if self.role == "developer" else self.role
        given = {"tool_calls": self.tool_calls, "tool_call_id": self.tool_call_id}
        if self.role == "tool":
            given["name"] = self.name
        named = {name: value for name, value in given.items() if value}
        return {"role": role, "content": self.text, **named}

    @property
    def text(self) -> str:
        """The message's words."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if part.type == "text")

    @property
    def images(self) -> list[str]:
        """The URLs of the message's images."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url.url for part in parts if part.image_url]

    @property
    def sounds(self) -> list[str]:
        """The message's sounds, in base64."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.input_audio.data for part in parts if part.input_audio]


class ChatRequest(SamplingRequest):
    """A conversation to go on with."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None

    @field_validator("top_logprobs")
    @classmethod
    def _beside_logprobs(cls, value: int | None, told: ValidationInfo) -> int | None:
        if value is not None and not told.data.get("logprobs"):
            raise ValueError("it wants logprobs: true beside it")
        return value

    def tool_use(self) -> dict[str, Any]:
        """Our task's parameters of tools. Raises InvalidRequest."""
        if not self.tools:
            if self.tool_choice not in (None, "none", "auto"):
                raise InvalidRequest("tool_choice: there are no tools")
            return {}
        choice = None if self.tool_choice is None else _read("tool_choice", self.tool_choice)
        given = {
            "tools": _read("tools", self.tools),
            "tool_choice": choice,
            "parallel_tool_calls": self.parallel_tool_calls,
        }
        try:
            check_tools(given["tools"], choice)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        return {name: value for name, value in given.items() if value is not None}

    def parameters(self) -> dict[str, Any]:
        """Our tasks' parameters."""
        most = self.max_completion_tokens or self.max_tokens
        given = super().parameters() | (
            {"logprobs": self.top_logprobs or 0} if self.logprobs else {}
        )
        return given | ({"max_new_tokens": most} if most else {})


_TOOLS: TypeAdapter[list[Tool]] = TypeAdapter(list[Tool])
_CHOICE: TypeAdapter[ToolChoice] = TypeAdapter(ToolChoice)


def _read(field: str, value: object) -> Any:
    """What a client said of tools. Raises InvalidRequest that names the place."""
    if field == "tool_choice" and not _is_choice(value):
        named = '{"type": "function", "function": {"name": ...}}'
        raise InvalidRequest(f"{field}: expected none, auto, required or {named}")
    try:
        return (_TOOLS if field == "tools" else _CHOICE).validate_python(value)
    except ValidationError as error:
        fault = v2.describe(error)
        raise InvalidRequest(
            field + fault if fault.startswith("[") else f"{field}: {fault}"
        ) from None


def _is_choice(value: object) -> bool:
    try:
        _CHOICE.validate_python(value)
    except ValidationError:
        return False
    return True
