"""Server-sent events, as servers tell a text piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic_core import from_json

from ..faults import BrokenError

#: Bytes of one event, at most.
_LONGEST = 1 << 24

#: Bytes of one stream, at most: one that never ends is none that anybody reads.
_MOST_BYTES = 1 << 28


async def events(
    parts: AsyncIterator[bytes], *, ends_with_done: bool = False
) -> AsyncIterator[dict[str, Any]]:
    """The documents of a stream. Raises BrokenError for what is none, and for a stream that ends
    without the mark that OpenAI's have.
    """
    rest, size = b"", 0
    async for part in parts:
        size += len(part)
        if size > _MOST_BYTES:
            raise BrokenError(f"the endpoint's stream is over {_MOST_BYTES} bytes")
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > _LONGEST:
            raise BrokenError("the endpoint's stream has an event that never ends")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            said = line.removeprefix(b"data:").strip()
            if said == b"[DONE]":
                return
            try:
                document = from_json(said)
            except ValueError:
                raise BrokenError("the endpoint's stream is no JSON") from None
            if isinstance(document, dict):
                yield document
    if ends_with_done:
        raise BrokenError("the endpoint's stream broke off")
