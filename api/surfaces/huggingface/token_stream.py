"""Generated text token by token, as text-generation-inference tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request

from ....protocol.errors import WherryError
from ....protocol.parameters import WARNING
from ....tasks.base import TaskOutput
from ....tasks.catalog import ModelDeclaration
from ....tasks.text.generation import GenerationInput, GenerationOutput
from ....tasks.text.tokens import Token
from ...core.streams import Stream, rest
from ...http.hangup import unless_gone
from ...http.sse import EventStream, event
from .responses_text import details, finish_reason


async def stream_response(
    request: Request, model: ModelDeclaration, given: GenerationInput
) -> EventStream:
    """Server-sent events, a token each. Raises what the intake refuses."""
    stream = await Stream.start(request, model, given)
    return EventStream(_events(stream, given), error=_error, leave=stream.leave)


def _error(error: WherryError) -> dict[str, object]:
    return {"error": error.message, "error_type": "generation"}


async def _events(stream: Stream, given: GenerationInput) -> AsyncIterator[bytes | None]:
    """The last token has the whole text and the details: each waits for the next."""
    number, seen, waiting = 0, "", None
    async for said in stream.tokens():
        if said is None:
            yield None
            continue
        if waiting:
            number += 1
            yield event(_token_event(number, waiting))
        waiting = said[1]
        seen += waiting.text
    output = await stream.answer()
    assert isinstance(output, GenerationOutput)
    generation = output.generations[0]
    untold = rest(0, seen, output)
    if waiting and untold:  # what was held back, as it could have begun a stop string
        waiting = waiting._replace(text=waiting.text + untold)
    end: dict[str, object] = {
        "generated_text": generation.text,
        "details": {
            "finish_reason": finish_reason(generation, given.stop),
            "generated_tokens": generation.completion_tokens,
            "input_length": generation.prompt_tokens,
            "seed": given.seed,
        },
    }
    if output.warning:
        end[WARNING] = output.warning
    last = waiting or Token(id=0, text=generation.text, logprob=0.0)
    yield event({**_token_event(number + 1, last), **end})


def _token_event(number: int, token: Token) -> dict[str, object]:
    return {
        "index": number,
        "token": token.view(),
        "generated_text": None,
        "details": None,
    }


async def with_details(
    request: Request, model: ModelDeclaration, given: GenerationInput
) -> list[dict[str, object]]:
    """Whole texts with their tokens. Raises the job's error, or DeadlineExceeded."""
    stream = await Stream.start(request, model, given)
    try:
        gathering = _gathered(stream, given.row_count)
        return _detailed(given, *await unless_gone(gathering, request.receive))
    finally:
        stream.leave()


def _detailed(
    given: GenerationInput, tokens: list[list[Token]], output: TaskOutput
) -> list[dict[str, object]]:
    assert isinstance(output, GenerationOutput)
    return [
        {
            "generated_text": generation.text,
            "details": {**details(generation, row, given.stop), "seed": given.seed},
        }
        for generation, row in zip(output.generations, tokens, strict=True)
    ]


async def _gathered(stream: Stream, count: int) -> tuple[list[list[Token]], TaskOutput]:
    tokens: list[list[Token]] = [[] for _ in range(count)]
    async for said in stream.tokens():
        if said:
            tokens[said[0]].append(said[1])
    return tokens, await stream.answer()
