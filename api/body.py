"""Request bodies: read, inflate, bound."""

from __future__ import annotations

import zlib
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from ..protocol.errors import InvalidRequest, PayloadTooLarge

#: Where the JSON of a binary request ends.
HEADER_LENGTH = "inference-header-content-length"

#: zlib's window bits: gzip alone, and zlib as `deflate` means it.
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, inflated. Raises PayloadTooLarge past `max_bytes`, whatever Content-Length says."""
    declared = request.headers.get("content-length", "")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if declared.isascii() and declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    if encoding in _WINDOW:
        return await _inflate(request, _WINDOW[encoding], max_bytes)
    if encoding not in ("", "identity"):
        raise InvalidRequest(f"Content-Encoding {encoding[:40]!r}: use gzip, deflate or none")
    chunks, size, more = [], 0, True
    while more:  # what request.stream() does, less a generator for the one chunk that most have
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _inflate(request: Request, window: int, max_bytes: int) -> bytes:
    inflater, out, taken = zlib.decompressobj(window), bytearray(), 0
    try:
        async for chunk in request.stream():
            taken += len(chunk)
            # One byte over the limit is asked for, so that a bomb shows without being inflated.
            out += inflater.decompress(chunk, max_bytes + 1 - len(out))
            if max(len(out), taken) > max_bytes or inflater.unconsumed_tail:
                raise _too_large(max_bytes)
    except zlib.error as error:
        raise InvalidRequest(f"the body cannot be inflated: {error}") from None
    if not inflater.eof:
        raise InvalidRequest("the compressed body ends too soon")
    if inflater.unused_data:
        raise InvalidRequest("bytes follow the end of the compressed body")
    return bytes(out)


def _too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is over {max_bytes} bytes; send fewer rows")


def header_length(request: Request) -> int | None:
    """The length of the JSON before the raw tensors; None for plain JSON. Raises InvalidRequest."""
    given = request.headers.get(HEADER_LENGTH)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise InvalidRequest(
            f"Inference-Header-Content-Length: {given[:40]!r} is not a non-negative integer"
        )
    return int(given)


def json_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object. Raises InvalidRequest."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {type(document).__name__}")
    return document
