"""Completions of plain texts, whole or streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, field_validator

from ...tasks.text.generation import Generation
from ...tasks.text.text_generation import TextGenerationInput
from ...tasks.text.tokens import Token
from ..errors import shaped
from ..plain import PlainRoute
from ..service import Service
from ..streams import EventStream, event
from ..views import json_response
from . import choices
from .sampling import SamplingRequest
from .shapes import Texts, error_shape, listed, model_for, new_id, now, read

router = APIRouter(tags=["openai"], route_class=PlainRoute)


class CompletionRequest(SamplingRequest):
    """Texts to go on with."""

    prompt: Texts
    max_tokens: int | None = Field(default=16, ge=1)  # OpenAI's own default
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None
    logprobs: int | None = Field(default=None, ge=0, le=1)

    @field_validator("suffix", "best_of")
    @classmethod
    def _none_yet(cls, value: object) -> object:
        if value not in (None, "", 1):
            raise ValueError("is not supported here")
        return value


@router.post("/v1/completions")
@router.post("/models/{model:path}/v1/completions")
@shaped(error_shape)
async def completions(request: Request) -> Response:
    """Go on with texts. Hugging Face's endpoints have the model in the path."""
    return await complete(request, await read(request, CompletionRequest, **request.path_params))


async def complete(request: Request, asked: CompletionRequest) -> Response:
    """Run texts, whole or streamed."""
    service = Service.of(request)
    model = model_for(service, asked.model, "text-generation")
    inputs = asked.choices(
        [
            TextGenerationInput.validated({"texts": [prompt], **asked.parameters()})
            for prompt in listed(asked.prompt)
        ]
    )
    reply = _Reply(asked, model.name)
    if asked.stream:
        streams = await choices.start(service, model, inputs)
        return EventStream(choices.events(reply, streams, usage=asked.with_usage), *streams)
    found = await choices.whole(request, model, inputs, tokens=asked.logprobs is not None)
    return json_response(reply.whole(found))


class _Reply:
    """One answer, whole or in parts."""

    def __init__(self, asked: CompletionRequest, model: str) -> None:
        self._asked = asked
        self._head = {"id": new_id("cmpl"), "object": "text_completion", "created": now()}
        self._head["model"] = model

    def whole(self, found: Sequence[choices.Choice]) -> dict[str, Any]:
        said = [
            self._choice(
                index,
                self._echo(index) + choice.generation.text,
                choice.generation,
                tokens=choice.tokens,
            )
            for index, choice in enumerate(found)
        ]
        return self._view(said, usage=self._count([choice.generation for choice in found]))

    def begin(self, index: int) -> list[bytes]:
        echo = self._echo(index)
        return [event(self._view([self._choice(index, echo)]))] if echo else []

    def part(self, said: choices.Said) -> bytes:
        return event(
            self._view([self._choice(said.index, said.text, said.end, tokens=said.tokens)])
        )

    def usage(self, ends: Sequence[Generation]) -> bytes:
        return event(self._view([], usage=self._count(ends)))

    def _count(self, generations: Sequence[Generation]) -> dict[str, int]:
        return choices.usage_of(generations, self._asked.n)

    def _view(self, said: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
        return {**self._head, "choices": said, **fields}

    def _echo(self, index: int) -> str:
        """The prompt, where it is to stand before its text."""
        return listed(self._asked.prompt)[index // self._asked.n] if self._asked.echo else ""

    def _choice(
        self,
        index: int,
        text: str,
        end: Generation | None = None,
        *,
        tokens: Sequence[Token] = (),
    ) -> dict[str, Any]:
        wanted = self._asked.logprobs is not None and tokens
        return {
            "index": index,
            "text": text,
            "logprobs": _chances(tokens) if wanted else None,
            "finish_reason": end.finish_reason if end else None,
        }


def _chances(tokens: Sequence[Token]) -> dict[str, Any]:
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{token.text: token.logprob} for token in tokens],
        "text_offset": [],
    }
