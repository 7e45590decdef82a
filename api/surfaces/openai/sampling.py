"""How to generate, in OpenAI's words, as our generating tasks take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import Field, field_validator

from ....protocol.errors import InvalidRequest
from ....tasks.text.generation import GenerationInput
from .requests import NullIsAbsent
from .structured import StructuredRequest

#: Choices of one request: each is a job of its own.
_MAX_CHOICES = 16

I = TypeVar("I", bound=GenerationInput)  # noqa: E741 # an input


class StreamOptions(NullIsAbsent):
    """What a stream has besides its text."""

    include_usage: bool = False
    include_obfuscation: Any = None  # padding against listeners on the wire; TLS is for that


class SamplingRequest(StructuredRequest):
    """Parameters that chat and plain completions share; `top_k` and the like are ours."""

    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    n: int = Field(default=1, ge=1, le=_MAX_CHOICES)
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None

    @field_validator("frequency_penalty", "presence_penalty", "logit_bias")
    @classmethod
    def _not_here(cls, value: object) -> object:
        if value:
            raise ValueError("is not supported; repetition_penalty is")
        return value

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn: who names no way to draw gets the likeliest text."""
        if self.temperature is not None:
            return self.temperature > 0
        return self.n > 1 or not (self.top_p is None and self.seed is None and self.top_k is None)

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def parameters(self) -> dict[str, Any]:
        """Our tasks' parameters. Raises InvalidRequest."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        given = {
            "max_new_tokens": self.max_tokens,
            "do_sample": self.draws,
            "temperature": self.temperature if self.draws else None,
            "top_p": self.top_p if self.draws else None,
            "top_k": self.top_k,
            "repetition_penalty": self.repetition_penalty,
            "stop": stops,
        }
        found = self.form()
        formed = {"structured_outputs": found[1]} if found else {}
        return {**{n: value for n, value in given.items() if value is not None}, **formed}

    def choices(self, inputs: Sequence[I]) -> list[I]:
        """`n` inputs of each, with seeds of their own where one was given."""
        if self.n > 1 and not self.draws:
            raise InvalidRequest("n: more than one choice needs a temperature over 0")
        # Any whole number may be a seed there; ours count from 0.
        seeds = [
            None if self.seed is None else (self.seed + number) % 2**63 for number in range(self.n)
        ]
        return [given.model_copy(update={"seed": seed}) for given in inputs for seed in seeds]
