"""Files that lie as they are inside another: stretches of its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ....protocol.errors import RowError
from .sized import SizedReader

#: So many bytes from a place on; fewer only at the end. Raises RowError, Unavailable.
ReadAt = Callable[[int, int], bytes]


class Stretch(NamedTuple):
    """Where a file lies in another; with a reason, why it cannot be read."""

    offset: int
    bytes: int
    reason: str = ""


class StretchReader(SizedReader):
    """A stretch as a file."""

    def __init__(self, found: Stretch, read_at: ReadAt) -> None:
        super().__init__(found.bytes)
        self._offset, self._read_at = found.offset, read_at

    def readall(self) -> bytes:
        """All that is left, at once. Raises RowError."""
        data = self._read(max(0, self._size - self._at))
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:  # any that can be written to
        """Read on. Raises RowError."""
        view = memoryview(buffer).cast("B")
        size = min(len(view), max(0, self._size - self._at))
        view[:size] = self._read(size)
        self._at += size
        return size

    def _read(self, size: int) -> bytes:
        data = self._read_at(self._offset + self._at, size) if size else b""
        if len(data) < size:
            raise RowError(f"it breaks off: {len(data):,} of {size:,} bytes are there")
        return data
