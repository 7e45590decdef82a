"""Files of a known size that are read from any place in them."""

from __future__ import annotations

import io


class SizedReader(io.RawIOBase):
    """A file to read that keeps its own place, `_at`; how it is read is the subclass's."""

    def __init__(self, size: int) -> None:
        """`size` in bytes."""
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where it is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in it, its end or behind."""
        self._at = self._place(offset, whence)
        return self._at

    def _place(self, offset: int, whence: int) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return max(0, base + offset)
