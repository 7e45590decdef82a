"""Waiting for work only as long as its client does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

T = TypeVar("T")

#: Ends when the client is gone. After a body is read, `Request.receive` is one.
Hangup = Callable[[], Awaitable[object]]


async def unless_gone(work: Coroutine[Any, Any, T], hangup: Hangup) -> T:
    """What some work comes to.

    Raises what it raises, and ClientDisconnect if the client hangs up first; then it is canceled.
    """
    working, gone = asyncio.create_task(work), asyncio.ensure_future(hangup())
    try:
        await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def never() -> None:
    """The hang-up of a client that stays, or whose going is told otherwise."""
    await asyncio.get_running_loop().create_future()
