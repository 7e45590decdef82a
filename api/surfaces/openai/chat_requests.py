"""A conversation as OpenAI's clients send it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ....protocol.first_fault import FirstFault, few_fields
from ....tasks.text.generation import MAX_LOGPROBS
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
    """What one side said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None
    name: str | None = None

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
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: Any = None

    @field_validator("top_logprobs")
    @classmethod
    def _beside_logprobs(cls, value: int | None, told: ValidationInfo) -> int | None:
        if value is not None and not told.data.get("logprobs"):
            raise ValueError("it wants logprobs: true beside it")
        return value

    @field_validator("tools")
    @classmethod
    def _none_yet(cls, value: object) -> object:
        if value:
            raise ValueError("is not supported here")
        return value

    @field_validator("response_format")
    @classmethod
    def _plain_text(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("type", "text") != "text":
            raise ValueError('only {"type": "text"} is supported')
        return value

    def parameters(self) -> dict[str, Any]:
        """Our tasks' parameters."""
        most = self.max_completion_tokens or self.max_tokens
        given = super().parameters() | (
            {"logprobs": self.top_logprobs or 0} if self.logprobs else {}
        )
        return given | ({"max_new_tokens": most} if most else {})
