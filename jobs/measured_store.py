"""A blob store whose calls are counted and timed."""

from __future__ import annotations

from collections.abc import Iterator

from ..protocol.errors import NotFound
from ..telemetry.calls import store_call
from .stores import Blob, Store


class MeasuredStore:
    """Another store, of which metrics tell how its calls go."""

    def __init__(self, inner: Store) -> None:
        self.inner, self.name = inner, inner.name

    def put(self, key: str, data: bytes) -> str:
        """Store all of the data, or none."""
        with store_call("put", NotFound):
            return self.inner.put(key, data)

    def ref(self, key: str) -> str:
        """What `put` answers for a key."""
        return self.inner.ref(key)

    def get(self, ref: str) -> bytes:
        """Read it back."""
        with store_call("get", NotFound):
            return self.inner.get(ref)

    def get_range(self, ref: str, offset: int, length: int) -> bytes:
        """Read a stretch of it."""
        with store_call("get", NotFound):
            return self.inner.get_range(ref, offset, length)

    def delete(self, ref: str) -> None:
        """Remove it."""
        with store_call("delete", NotFound):
            self.inner.delete(ref)

    def url(self, ref: str) -> str | None:
        """A link to it, for which nobody is asked."""
        return self.inner.url(ref)

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """What it holds: no call, but as many as it has pages, in the reader's own time."""
        return self.inner.blobs(prefix)
