"""Threads for the blob store alone: a slow store must not take those that read requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from ...protocol.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

#: Calls to the store at once, and calls at once or waiting; each may hold a body in memory.
_AT_ONCE, _MOST = 16, 128

_pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="wherry-blobs")
_under_way: set[asyncio.Future[Any]] = set()  # of whatever the calls answer


async def in_store(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call to the store. Raises StoreUnavailable when too many are under way already."""
    if len(_under_way) >= _MOST:
        raise StoreUnavailable("the blob store is slow, and too many wait for it; retry later")
    future = asyncio.get_running_loop().run_in_executor(_pool, lambda: call(*args, **kwargs))
    _under_way.add(future)
    future.add_done_callback(_under_way.discard)
    return await future
