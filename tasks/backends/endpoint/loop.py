"""One event loop a process, in a thread of its own, for the requests of all endpoints."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Run a coroutine there. It ends with the process at the latest."""
    return asyncio.run_coroutine_threadsafe(work, running())


def running() -> asyncio.AbstractEventLoop:
    """The loop, which runs from the first time it is asked for."""
    global _loop  # one a process: connections belong to the loop that opened them
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="wherry-endpoints", daemon=True).start()
        return _loop
