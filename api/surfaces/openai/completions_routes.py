"""Completions of plain texts, whole or streamed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field, field_validator

from ....tasks.text.generation import MAX_LOGPROBS, Generation
from ....tasks.text.text_generation import TextGenerationInput, TokenIds
from ....tasks.text.tokens import Candidate, Token
from ...core.service import Service
from ...core.views import json_response
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from ...http.sse import event
from . import choices
from .requests import FINGERPRINT, error_shape, model_for, new_id, now, read
from .sampling import SamplingRequest

router = APIRouter(tags=["openai"], route_class=FastRoute)


def _listed(value: object) -> object:
    """One prompt or several, as several: a text is one, and so is a list of numbers."""
    numbers = isinstance(value, list) and value and isinstance(value[0], int)
    return [value] if numbers or isinstance(value, str) else value


class CompletionRequest(SamplingRequest):
    """Texts to go on with, each a text or the model's own token numbers."""

    prompt: Annotated[list[str | TokenIds], BeforeValidator(_listed), Field(min_length=1)]
    max_tokens: int | None = Field(default=16, ge=0)  # OpenAI's own default
    echo: bool = False
    suffix: str | None = None
    best_of: int | None = None
    logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)

    @field_validator("suffix", "best_of")
    @classmethod
    def _none_yet(cls, value: object) -> object:
        if value not in (None, "", 1):
            raise ValueError("is not supported here")
        return value

    def inputs(self) -> list[TextGenerationInput]:
        """One a prompt. Raises InvalidRequest."""
        return [
            TextGenerationInput.validated(
                {**self.parameters(), **_prompt(prompt), **self._scored(prompt)}
            )
            for prompt in self.prompt
        ]

    def _scored(self, prompt: str | list[int]) -> dict[str, Any]:
        """What asks for tokens: numbers, too, are echoed as the texts of their tokens."""
        echoed = self.echo and (self.logprobs is not None or not isinstance(prompt, str))
        if self.logprobs is None and not echoed:
            return {}
        return {"logprobs": self.logprobs or 0, "prompt_logprobs": echoed or None}


def _prompt(prompt: str | list[int]) -> dict[str, Any]:
    if isinstance(prompt, str):
        return {"texts": [prompt]}
    return {"texts": [""], "token_ids": [prompt]}


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
    reply = _Reply(asked, model.name)
    with asked.named():
        inputs = asked.choices(asked.inputs())
        if not asked.stream:
            return json_response(reply.whole(await choices.whole(request, model, inputs)))
        streams = await choices.start(request, model, inputs)
    return choices.stream_response(reply, streams, usage=asked.with_usage, as_named=asked.as_named)


class _Reply:
    """One answer, whole or in parts."""

    def __init__(self, asked: CompletionRequest, model: str) -> None:
        self._asked = asked
        self._head = {"id": new_id("cmpl"), "object": "text_completion", "created": now()}
        self._head |= {"model": model, "system_fingerprint": FINGERPRINT}
        #: Characters told of each choice.
        self._offsets: dict[int, int] = {}

    def whole(self, found: Sequence[Generation]) -> dict[str, Any]:
        said = []
        for index, generation in enumerate(found):
            tokens = generation.tokens or ()
            text = self._echo(index) + self._prompt_text(index, tokens) + generation.text
            said.append(self._choice(index, text, generation, tokens=tokens))
        return self._view(said, usage=self._count(found))

    def begin(self, index: int) -> list[bytes]:
        echo = self._echo(index)
        return [event(self._view([self._choice(index, echo)]))] if echo else []

    def part(self, said: choices.ChoiceDelta) -> bytes:
        text = self._prompt_text(said.index, said.tokens) + said.text
        return event(self._view([self._choice(said.index, text, said.end, tokens=said.tokens)]))

    def end(self, ends: Sequence[Generation], *, usage: bool) -> list[bytes]:
        counted = [event(self._view([], usage=self._count(ends)))] if usage else []
        return [*counted, choices.DONE]

    def _count(self, generations: Sequence[Generation]) -> dict[str, int]:
        return choices.usage_of(generations, self._asked.n)

    def _view(self, said: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
        return {**self._head, "choices": said, **fields}

    def _prompt(self, index: int) -> str | list[int]:
        return self._asked.prompt[index // self._asked.n]

    def _echo(self, index: int) -> str:
        """The prompt, where it is to stand before its text; one in numbers is told."""
        prompt = self._prompt(index)
        return prompt if self._asked.echo and isinstance(prompt, str) else ""

    def _prompt_text(self, index: int, tokens: Sequence[Token]) -> str:
        """The text of a prompt's tokens, where the prompt came in numbers."""
        if isinstance(self._prompt(index), str):
            return ""
        return "".join(token.text for token in tokens if token.prompt)

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
            "logprobs": self._chances(index, tokens) if wanted else None,
            "finish_reason": end.finish_reason if end else None,
        }

    def _chances(self, index: int, tokens: Sequence[Token]) -> dict[str, Any]:
        """Four lists of one length; offsets count the characters of the text that is answered."""
        start = self._offsets.get(index, 0)
        offsets = [*accumulate((len(token.text) for token in tokens), initial=start)]
        self._offsets[index] = offsets.pop()
        return {
            "tokens": [_name(token) for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [_likeliest(token) for token in tokens],
            "text_offset": offsets,
        }


def _name(token: Token | Candidate) -> str:
    """A token's text; its number where it adds none, being a mark or a part of a character."""
    return token.text or f"token_id:{token.id}"


def _likeliest(token: Token) -> dict[str, float] | None:
    """The likeliest tokens in a token's place, and itself; None for a first one."""
    if token.logprob is None:
        return None
    found = {_name(token): token.logprob}
    for other in token.top:
        if other.id != token.id:
            name = _name(other)
            found[f"token_id:{other.id}" if name in found else name] = other.logprob
    return found
