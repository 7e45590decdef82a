"""A stream's headers are gone when its answer comes: a warning is in its last event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from wherry.api.surfaces.huggingface.token_stream import _events as hugging_face_events
from wherry.api.v2.generate import _events as triton_events
from wherry.api.v2.generate import _GenerateRequest
from wherry.tasks.registry import get_task
from wherry.tasks.text.summarization import SummarizationInput, SummarizationOutput
from wherry.tasks.text.tokens import Token

CUT = "cut: the model read 16 of 200 tokens"
GIVEN = SummarizationInput(texts=["a text"], truncate=True)


class Stream:
    """One token, then the whole answer."""

    async def tokens(self) -> AsyncIterator[tuple[int, Token]]:
        yield 0, Token(id=1, text="fog", logprob=-0.5)

    async def answer(self) -> SummarizationOutput:
        example = get_task("summarization").example.output
        assert isinstance(example, SummarizationOutput)
        return SummarizationOutput(generations=example.generations[:1]).warned(CUT)


def by_triton(stream: Any) -> AsyncIterator[bytes | None]:
    model: Any = SimpleNamespace(name="summarization", version="1")
    return triton_events(_GenerateRequest(model, GIVEN, None), stream)


def by_hugging_face(stream: Any) -> AsyncIterator[bytes | None]:
    return hugging_face_events(stream, GIVEN)


@pytest.mark.parametrize("events", [by_triton, by_hugging_face])
def test_the_last_event_tells_of_a_cut(
    events: Callable[[Any], AsyncIterator[bytes | None]],
) -> None:
    async def heard() -> list[bytes]:
        return [event async for event in events(Stream()) if event is not None]

    *others, last = asyncio.run(heard())
    assert json.loads(last.removeprefix(b"data: "))["warning"] == CUT
    assert not any(b"warning" in event for event in others)
