"""The texts of one request: a job each, answered together or told as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import Request

from ....protocol.errors import WherryError
from ....tasks.base import TaskInput
from ....tasks.catalog import ModelDeclaration
from ....tasks.text.generation import Generation, GenerationOutput
from ....tasks.text.tokens import Token
from ...core.run_and_wait import answer
from ...core.streams import Stream, rest
from ...http.errors import status_of
from ...http.sse import EventStream
from .requests import error_shape

#: What a stream ends with.
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChoiceDelta:
    """What a choice says next: tokens, and at its end what it has come to."""

    index: int
    #: What its text has more; tokens of the prompt add nothing to it.
    text: str
    tokens: Sequence[Token] = field(default=())
    end: Generation | None = None


async def whole(
    request: Request, model: ModelDeclaration, inputs: Sequence[TaskInput]
) -> list[Generation]:
    """Every choice at its end."""
    answers = (answer(request, model, given) for given in inputs)
    return [_generation(output) for output in await asyncio.gather(*answers)]


def _generation(output: object) -> Generation:
    assert isinstance(output, GenerationOutput)
    return output.generations[0]


async def start(
    request: Request, model: ModelDeclaration, inputs: Sequence[TaskInput]
) -> list[Stream]:
    """A stream for each choice. Raises what the intake refuses, with none left behind."""
    streams: list[Stream] = []
    try:
        for given in inputs:
            until = streams[0].until if streams else None  # the time is the request's
            streams.append(await Stream.start(request, model, given, until=until))
    except WherryError:
        for stream in streams:
            stream.leave()
        raise
    return streams


class Reply(Protocol):
    """What each kind of completion makes of its choices."""

    def whole(self, found: Sequence[Generation]) -> dict[str, Any]:
        """The answer."""
        ...

    def begin(self, index: int) -> list[bytes]:
        """A choice's first events."""
        ...

    def part(self, said: ChoiceDelta) -> bytes:
        """What a choice says next."""
        ...

    def end(self, ends: Sequence[Generation], *, usage: bool) -> list[bytes]:
        """The last events, once all choices are at their ends."""
        ...


def stream_response(
    reply: Reply,
    streams: Sequence[Stream],
    *,
    usage: bool,
    as_named: Callable[[WherryError], WherryError] = lambda error: error,
) -> EventStream:
    """All choices as server-sent events; `as_named` puts an error into the client's words."""

    def error(broken_off: WherryError) -> dict[str, object]:
        named = as_named(broken_off)
        return error_shape(None, status_of(named), named)

    def leave() -> None:
        for stream in streams:
            stream.leave()

    return EventStream(_events(reply, streams, usage=usage), error=error, leave=leave)


async def _events(
    reply: Reply, streams: Sequence[Stream], *, usage: bool
) -> AsyncIterator[bytes | None]:
    ends: dict[int, Generation] = {}
    for index in range(len(streams)):
        for begin in reply.begin(index):
            yield begin
    async for said in merged(streams):
        if said is None:
            yield None
            continue
        if said.end:
            ends[said.index] = said.end
        yield reply.part(said)
    for last in reply.end([ends[index] for index in sorted(ends)], usage=usage):
        yield last


def usage_of(generations: Sequence[Generation], per_prompt: int) -> dict[str, int]:
    """Tokens read and made; the choices of one prompt, which follow each other, read it once."""
    prompt = sum(generation.prompt_tokens for generation in generations[::per_prompt])
    made = sum(generation.completion_tokens for generation in generations)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
    }


async def merged(streams: Sequence[Stream]) -> AsyncIterator[ChoiceDelta | None]:
    """What all choices say, in the order in which it is heard; None when all are silent.

    Raises the first error of any.
    """
    heard: asyncio.Queue[ChoiceDelta | WherryError | None] = asyncio.Queue(maxsize=64)
    listeners = [
        asyncio.create_task(_listen(index, stream, heard.put))
        for index, stream in enumerate(streams)
    ]
    open_choices = len(streams)
    try:
        while open_choices:
            said = await heard.get()
            if isinstance(said, WherryError):
                raise said
            open_choices -= said is not None and said.end is not None
            yield said
    finally:
        for listener in listeners:
            listener.cancel()


async def _listen(
    index: int, stream: Stream, put: Callable[[ChoiceDelta | WherryError | None], Awaitable[None]]
) -> None:
    seen, count = "", 0
    try:
        async for said in stream.tokens(prompt=True):
            if said is None:
                await put(None)
                continue
            token = said[1]
            text = "" if token.prompt else token.text
            seen, count = seen + text, count + 1
            await put(ChoiceDelta(index, text, [token]))
        output = await stream.answer()
        end = _generation(output)
        # Tokens that Redis would not take while they were made are in the answer all the same.
        untold = (end.tokens or ())[count:]
        await put(ChoiceDelta(index, rest(0, seen, output), untold, end))
    except WherryError as error:
        await put(error)
