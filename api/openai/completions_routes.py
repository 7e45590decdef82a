"""Completions of plain texts, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, field_validator

from ...protocol.errors import WherryError
from ...tasks.text.generation import Generation
from ...tasks.text.text_generation import TextGenerationInput
from ...tasks.text.tokens import Token
from ..errors import shaped, status_of
from ..plain import PlainRoute
from ..service import Service
from ..streams import STILL_HERE, EventStream, Stream, event
from ..views import json_response
from . import choices
from .chat_reply import DONE
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
@shaped(error_shape)
async def completions(request: Request) -> Response:
    """Go on with texts."""
    return await complete(request, await read(request, CompletionRequest))


@router.post("/models/{model:path}/v1/completions")
@shaped(error_shape)
async def model_completions(request: Request) -> Response:
    """The same for the model of the path, as Hugging Face's endpoints have it."""
    return await complete(
        request, await read(request, CompletionRequest, model=request.path_params["model"])
    )


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
        return EventStream(_events(reply, streams, usage=asked.with_usage), *streams)
    found = await choices.whole(request, model, inputs, tokens=asked.logprobs is not None)
    return json_response(reply.whole(found))


async def _events(reply: _Reply, streams: Sequence[Stream], *, usage: bool) -> AsyncIterator[bytes]:
    ends: dict[int, Generation] = {}
    for index in range(len(streams)):
        if text := reply.echo(index):
            yield event(reply.view([reply.choice(index, text)]))
    try:
        async for said in choices.merged(streams):
            if said is None:
                yield STILL_HERE
                continue
            if said.end:
                ends[said.index] = said.end
            yield event(
                reply.view([reply.choice(said.index, said.text, said.end, tokens=said.tokens)])
            )
        if usage:
            yield event(reply.view([], usage=reply.usage([ends[index] for index in sorted(ends)])))
        yield DONE
    except WherryError as error:
        yield event(error_shape(None, status_of(error), error))


class _Reply:
    """One answer, whole or in parts."""

    def __init__(self, asked: CompletionRequest, model: str) -> None:
        self._asked = asked
        self._head = {"id": new_id("cmpl"), "object": "text_completion", "created": now()}
        self._head["model"] = model

    def whole(self, found: Sequence[choices.Choice]) -> dict[str, Any]:
        said = [
            self.choice(
                index,
                self.echo(index) + choice.generation.text,
                choice.generation,
                tokens=choice.tokens,
            )
            for index, choice in enumerate(found)
        ]
        return self.view(said, usage=self.usage([choice.generation for choice in found]))

    def view(self, said: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
        return {**self._head, "choices": said, **fields}

    def echo(self, index: int) -> str:
        """The prompt, where it is to stand before its text."""
        return listed(self._asked.prompt)[index // self._asked.n] if self._asked.echo else ""

    def choice(
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

    def usage(self, generations: Sequence[Generation]) -> dict[str, int]:
        """Tokens read, each prompt once, and made."""
        prompt = sum(generation.prompt_tokens for generation in generations[:: self._asked.n])
        made = sum(generation.completion_tokens for generation in generations)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": made,
            "total_tokens": prompt + made,
        }


def _chances(tokens: Sequence[Token]) -> dict[str, Any]:
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{token.text: token.logprob} for token in tokens],
        "text_offset": [],
    }
