"""Answers to a stream of requests: worked on beside each other, told in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

#: Requests of one stream that are worked on at once; those after them are not read yet.
_AT_ONCE = 64

#: One request's answers, None after the last.
_Turn = asyncio.Queue[ResponseT | None]


async def in_order(
    requests: AsyncIterable[RequestT],
    answers: Callable[[RequestT], AsyncIterator[ResponseT]],
    *,
    at_once: int = _AT_ONCE,
) -> AsyncGenerator[ResponseT]:
    """All answers to the first request, then to the second, and so on.

    `answers` raises nothing. When the reader leaves, whatever is under way is canceled.
    """
    turns: asyncio.Queue[_Turn[ResponseT] | None] = asyncio.Queue(at_once)
    working: set[asyncio.Task[None]] = set()

    async def read() -> None:
        try:
            async for asked in requests:
                turn: _Turn[ResponseT] = asyncio.Queue()
                await turns.put(turn)
                task = asyncio.create_task(_work(answers(asked), turn))
                working.add(task)
                task.add_done_callback(working.discard)
        finally:
            await turns.put(None)

    reading = asyncio.create_task(read())
    try:
        while (turn := await turns.get()) is not None:
            while (said := await turn.get()) is not None:
                yield said
        await reading
    finally:
        under_way = [reading, *working]
        for task in under_way:
            task.cancel()
        while not turns.empty():  # a reader that waits to say its end goes on
            turns.get_nowait()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _work(answers: AsyncIterator[ResponseT], turn: _Turn[ResponseT]) -> None:
    try:
        async for said in answers:
            turn.put_nowait(said)
    finally:
        turn.put_nowait(None)
