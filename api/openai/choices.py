"""The texts of one request: a job each, answered together or told as they are written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fastapi import Request

from ...protocol.errors import WherryError
from ...tasks.base import TaskInput
from ...tasks.catalog import ModelDeclaration
from ...tasks.text.generation import Generation, GenerationOutput
from ...tasks.text.tokens import Token
from ..errors import status_of
from ..run import answer
from ..service import Service
from ..streams import STILL_HERE, Stream, event, rest
from .shapes import error_shape

T = TypeVar("T")

#: What a stream ends with.
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Choice:
    """A text at its end; its tokens where they were asked for."""

    generation: Generation
    tokens: Sequence[Token] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What a choice says next: tokens, or at its end what it has come to."""

    index: int
    text: str
    tokens: Sequence[Token] = field(default=())
    end: Generation | None = None


async def whole(
    request: Request, model: ModelDeclaration, inputs: Sequence[TaskInput], *, tokens: bool
) -> list[Choice]:
    """Every choice at its end, with its tokens if they are wanted."""
    service = Service.of(request)

    async def plain(given: TaskInput) -> Choice:
        output = await answer(service, request.receive, model, given)
        return Choice(_generation(output))

    async def told(given: TaskInput) -> Choice:
        heard: list[Token] = []
        stream = await Stream.start(service, model, given)
        try:
            async for said in stream.tokens():
                heard += [said[1]] if said else []
            return Choice(_generation(await stream.answer()), heard)
        finally:
            stream.leave()

    if tokens:
        return await _unless_gone(request, asyncio.gather(*map(told, inputs)))
    return await asyncio.gather(*map(plain, inputs))


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for work, and give it up when the client hangs up."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        return await working
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


def _generation(output: object) -> Generation:
    assert isinstance(output, GenerationOutput)
    return output.generations[0]


async def start(
    service: Service, model: ModelDeclaration, inputs: Sequence[TaskInput]
) -> list[Stream]:
    """A stream for each choice. Raises what the intake refuses, with none left behind."""
    streams: list[Stream] = []
    try:
        for given in inputs:
            streams.append(await Stream.start(service, model, given))  # noqa: PERF401 # see except
    except WherryError:
        for stream in streams:
            stream.leave()
        raise
    return streams


class Reply(Protocol):
    """What each kind of completion makes of its choices."""

    def begin(self, index: int) -> list[bytes]:
        """A choice's first events."""
        ...

    def part(self, said: Said) -> bytes:
        """What a choice says next."""
        ...

    def usage(self, ends: Sequence[Generation]) -> bytes:
        """The last event, where it was asked for."""
        ...


async def events(reply: Reply, streams: Sequence[Stream], *, usage: bool) -> AsyncIterator[bytes]:
    """All choices as server-sent events; an error on the way is the last of them."""
    ends: dict[int, Generation] = {}
    for index in range(len(streams)):
        for begin in reply.begin(index):
            yield begin
    try:
        async for said in merged(streams):
            if said is None:
                yield STILL_HERE
                continue
            if said.end:
                ends[said.index] = said.end
            yield reply.part(said)
        if usage:
            yield reply.usage([ends[index] for index in sorted(ends)])
        yield DONE
    except WherryError as error:
        yield event(error_shape(None, status_of(error), error))


def usage_of(generations: Sequence[Generation], per_prompt: int) -> dict[str, int]:
    """Tokens read and made; the choices of one prompt, which follow each other, read it once."""
    prompt = sum(generation.prompt_tokens for generation in generations[::per_prompt])
    made = sum(generation.completion_tokens for generation in generations)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
    }


async def merged(streams: Sequence[Stream]) -> AsyncIterator[Said | None]:
    """What all choices say, in the order in which it is heard; None when all are silent.

    Raises the first error of any.
    """
    heard: asyncio.Queue[Said | WherryError | None] = asyncio.Queue(maxsize=64)
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
    index: int, stream: Stream, put: Callable[[Said | WherryError | None], Awaitable[None]]
) -> None:
    seen = ""
    try:
        async for said in stream.tokens():
            if said is None:
                await put(None)
                continue
            seen += said[1].text
            await put(Said(index, said[1].text, [said[1]]))
        output = await stream.answer()
        await put(Said(index, rest(0, seen, output), end=_generation(output)))
    except WherryError as error:
        await put(error)
