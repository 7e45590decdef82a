"""Blobs that nothing needs any more: deleted at once, or a while later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ...jobs.stores import Store
from ...protocol.errors import WherryError
from .store_threads import in_store

#: Seconds that a blob outlives its use: a Redis that lost its last second names it again.
KEPT_S = 30.0

_removals: set[asyncio.Task[None]] = set()


def remove_later(store: Store, refs: Sequence[str]) -> None:
    """Delete blobs after a while."""
    loop = asyncio.get_running_loop()

    def begin() -> None:
        task = loop.create_task(remove(store, refs))
        _removals.add(task)
        task.add_done_callback(_removals.discard)

    loop.call_later(KEPT_S, begin)


async def remove(store: Store, refs: Sequence[str]) -> None:
    """Delete blobs; one that cannot be is left to the sweeper."""
    for ref in refs:
        with contextlib.suppress(WherryError, OSError):
            await in_store(store.delete, ref)
