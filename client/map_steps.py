"""What a map and its driver say to each other, beside the steps of every flow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..protocol.errors import WherryError
from .flow import Flow, HttpResponse, Step
from .operations import Input, Output


@dataclass(frozen=True, slots=True)
class NeedInput:
    """The flow asks its driver for the next input."""


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """There is no next input: the source is at its end, or it raised."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """The flow hands its driver the next answer."""

    answer: Output | WherryError

    def result(self, *, return_errors: bool) -> Output | WherryError:
        """What the caller gets of it. Raises an error unless they are to be returned."""
        if isinstance(self.answer, WherryError) and not return_errors:
            raise self.answer
        return self.answer


class Room(Protocol):
    """Tells how many inputs of a map may be under way, each time that there may be another."""

    def room(self, call_s: float) -> int:
        """How many now, where a call to the server takes so long; 1 or more."""
        ...


#: A map yields steps, asks for inputs and emits answers.
MapStep = Step | NeedInput | Emit
MapFlow = Generator[MapStep, HttpResponse | Input | SourceEnd | None, None]


def next_input(source: Iterator[Input]) -> Input | SourceEnd:
    """What a source gives next, or that it gives no more."""
    try:
        return next(source)
    except StopIteration:
        return SourceEnd()
    except Exception as error:  # whatever it is, it is the caller's own and is raised again
        return SourceEnd(error)


async def next_input_async(source: AsyncIterator[Input]) -> Input | SourceEnd:
    """What a source gives next, or that it gives no more."""
    try:
        return await anext(source)
    except StopAsyncIteration:
        return SourceEnd()
    except Exception as error:  # whatever it is, it is the caller's own and is raised again
        return SourceEnd(error)


def steps(flow: Flow[None]) -> MapFlow:
    """A flow that asks for no input, as part of a map's."""
    reply: HttpResponse | None = None
    while True:
        try:
            step = next(flow) if reply is None else flow.send(reply)
        except StopIteration:
            return
        given = yield step
        assert isinstance(given, HttpResponse)
        reply = given
