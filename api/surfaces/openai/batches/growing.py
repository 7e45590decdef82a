"""A file while it grows: parts of a good size, and a last one that is written again until it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from .....jobs.files import FilePart
from .....jobs.stores import Store
from .....protocol.errors import WherryError
from ....core.blob_removal import remove_later
from ....core.store_threads import in_store
from ....http.ids import uuid7

#: Bytes from which a part stays as it is.
PART_BYTES = 4 * 1024 * 1024

#: Seconds between two tries to write while the store is away.
_RETRY_S = 1.0


class Growing:
    """Lines on their way into the store. What is flushed counts once its parts are saved."""

    def __init__(self, store: Store, name: str, parts: Sequence[FilePart]) -> None:
        self._store, self._name = store, name
        self._parts = list(parts)
        self._last = bytearray()
        self._added = 0

    async def open(self) -> None:
        """Read the last part, if it may still grow. Raises NotFound, Unavailable."""
        if self._parts and self._parts[-1].bytes < PART_BYTES:
            self._last += await in_store(self._store.get, self._parts[-1].ref)

    @property
    def parts(self) -> tuple[FilePart, ...]:
        """The parts in the store."""
        return tuple(self._parts)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not in the store yet."""
        return self._added

    def add(self, line: bytes) -> None:
        """Add a line."""
        self._last += line
        self._last += b"\n"
        self._added += len(line) + 1

    async def flush(self) -> None:
        """Put what was added into the store. Raises Unavailable; then it may be tried again."""
        if not self._added:
            return
        data = bytes(self._last)
        ref = await in_store(self._store.put, f"{self._name}/{uuid7()}", data)
        if len(data) > self._added:  # the last part was there already, and shorter
            remove_later(self._store, [self._parts.pop().ref])
        self._parts.append(FilePart(ref, len(data)))
        self._added = 0
        if len(data) >= PART_BYTES:
            self._last = bytearray()

    async def flush_patiently(self) -> None:
        """Flush, however long the store is away: nothing is lost meanwhile."""
        while True:
            with contextlib.suppress(WherryError):
                await self.flush()
                return
            await asyncio.sleep(_RETRY_S)
