"""Request bodies: read, inflate, bound.

A body is to be in memory twice at most while a job is made of it. So whoever reads one hands it on
and keeps none: it goes when it is parsed, what was parsed when files are made of it, and so forth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from ...protocol.errors import InvalidRequest
from ...protocol.json_kinds import in_words
from ...protocol.json_text import parse_json
from ...tasks.egress.inflate import WINDOWS, inflate, too_large

#: Where the JSON of a binary request ends.
HEADER_LENGTH = "inference-header-content-length"

#: Bytes of a body from which it is read in a thread, so that other requests go on meanwhile.
OFF_LOOP_BYTES = 256 * 1024

T = TypeVar("T")


class Document(NamedTuple):
    """A body's JSON object."""

    fields: dict[str, Any]
    #: Whether the body was large: what is made of it is made in a thread.
    large: bool


async def parsed(body: bytes, parse: Callable[[bytes], T]) -> tuple[T, bool]:
    """What `parse` makes of a body, and whether that was large: then it is done in a thread.

    The caller is to hold no body.
    """
    large = len(body) >= OFF_LOOP_BYTES
    return await off_loop(lambda: parse(body), large=large), large


async def off_loop(work: Callable[[], T], *, large: bool) -> T:
    """Run a function, in a thread if it has much to do."""
    return await asyncio.to_thread(work) if large else work()


async def read_document(request: Request, max_bytes: int) -> Document:
    """A request's JSON object. Raises InvalidRequest."""
    return Document(*await parsed(await read_body(request, max_bytes), json_object))


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, inflated. Raises PayloadTooLarge past `max_bytes`, whatever Content-Length says."""
    declared = request.headers.get("content-length", "")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if declared.isascii() and declared.isdigit() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    if encoding in WINDOWS:
        return await inflate(request.stream(), encoding, max_bytes)
    if encoding not in ("", "identity"):
        raise InvalidRequest(f"Content-Encoding {encoding[:40]!r}: use gzip, deflate or none")
    # Unlike a list or a bytearray, it gives its bytes away uncopied.
    body, more = BytesIO(), True
    while more:  # what request.stream() does, less a generator for the one chunk that most have
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if body.tell() + len(chunk) > max_bytes:
            raise too_large(max_bytes)
        if not more and not body.tell():
            return chunk
        body.write(chunk)
    return body.getvalue()


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
    document = parse_json(body)
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {in_words(document)}")
    return document
