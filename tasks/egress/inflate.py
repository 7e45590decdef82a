"""Compressed bytes, inflated piece by piece and no further than a bound."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable
from io import BytesIO

from ...protocol.errors import InvalidRequest, PayloadTooLarge

#: Encodings that are inflated, with zlib's window bits: gzip alone, and zlib as `deflate` means it.
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}

#: Bytes inflated at a time.
_PIECE_BYTES = 1 << 20


async def inflate(chunks: AsyncIterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """What was compressed. Raises InvalidRequest, and PayloadTooLarge past `max_bytes`."""
    inflater, out, taken = zlib.decompressobj(WINDOWS[encoding]), BytesIO(), 0
    try:
        async for chunk in chunks:
            taken += len(chunk)
            while chunk:
                out.write(inflater.decompress(chunk, _PIECE_BYTES))
                if max(out.tell(), taken) > max_bytes:
                    raise too_large(max_bytes)
                chunk = inflater.unconsumed_tail
    except zlib.error as error:
        raise InvalidRequest(f"the body cannot be inflated: {error}") from None
    if not inflater.eof:
        raise InvalidRequest("the compressed body ends too soon")
    if inflater.unused_data:
        raise InvalidRequest("bytes follow the end of the compressed body")
    return out.getvalue()


def too_large(max_bytes: int) -> PayloadTooLarge:
    """The error of a body over the bound."""
    return PayloadTooLarge(f"the body is over {max_bytes} bytes; send fewer rows")
