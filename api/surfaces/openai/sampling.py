"""How to generate, in OpenAI's words, as our generating tasks take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import Field

from ....protocol.errors import InvalidRequest
from ....tasks.text.generation import MAX_NEW_TOKENS, GenerationInput
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
    top_p: float | None = Field(default=None, ge=0, le=1)
    n: int = Field(default=1, ge=1, le=_MAX_CHOICES)
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    # vLLM's and ours.
    top_k: int | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    min_tokens: int | None = Field(default=None, ge=0, le=MAX_NEW_TOKENS)
    ignore_eos: bool = False

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn: who names no way to draw gets the likeliest text."""
        if self.top_p == 0:  # of no sum but the likeliest token's own
            return False
        if self.temperature is not None:
            return self.temperature > 0
        ways = (self.top_p, self.seed, self.top_k, self.typical_p)
        return self.n > 1 or any(way is not None for way in ways)

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
            "typical_p": self.typical_p if self.draws else None,
            "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty or None,
            "frequency_penalty": self.frequency_penalty or None,
            "logit_bias": self.logit_bias or None,
            # The token that ends a text is not chosen before the last.
            "min_new_tokens": MAX_NEW_TOKENS if self.ignore_eos else self.min_tokens or None,
            "stop": stops,
        }
        found = self.form()
        formed = {"structured_outputs": found[1]} if found else {}
        return {**{n: value for n, value in given.items() if value is not None}, **formed}

    def choices(self, inputs: Sequence[I]) -> list[I]:
        """`n` inputs of each, with seeds of their own where one was given."""
        if self.n > 1 and not self.draws:
            raise InvalidRequest("n: more than one choice needs a temperature and a top_p over 0")
        # Any whole number may be a seed there; ours count from 0.
        seeds = [
            None if self.seed is None else (self.seed + number) % 2**63 for number in range(self.n)
        ]
        return [given.model_copy(update={"seed": seed}) for given in inputs for seed in seeds]
