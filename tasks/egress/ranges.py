"""Files of web servers that are not held in memory: by ranges, or copied whole to a disk."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

import httpx

from .allowed import OutboundError
from .fetch import HEADERS, FetchLimits, Requests, answer_of, at_host, encoding_of, within
from .inflate import WINDOWS

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")

#: Ends of names of files that are packed themselves: what servers say of their encoding is that.
_PACKED = (".gz", ".tgz")


class ServedFile(NamedTuple):
    """What a server tells of a file."""

    #: None where it is not told.
    size: int | None
    #: What tells it from another one of that URL: its ETag, else its date; "" for neither.
    tag: str
    #: Whether parts of it are served, as they lie there.
    has_ranges: bool


async def look_at(guard: Requests, url: str, limits: FetchLimits) -> ServedFile:
    """What a server tells of a file. Raises OutboundError, BadStatus."""
    asked = {**HEADERS, "Range": "bytes=0-0"}
    async with (
        within(url, limits.timeout_s),
        answer_of(guard, url, limits, asked, (200, 206, 416)) as (where, response),
    ):
        tag = _tag(response)
        if response.status_code == 416:  # of an empty file there is no part
            return ServedFile(None, tag, has_ranges=False)
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        packed = encoding_of(where, response) and not where.path.lower().endswith(_PACKED)
        if response.status_code == 206 and found and not packed:
            return ServedFile(int(found[3]), tag, has_ranges=True)
        declared = response.headers.get("content-length", "")
        is_size = response.status_code == 200 and declared.isascii() and declared.isdigit()
        return ServedFile(int(declared[:18]) if is_size else None, tag, has_ranges=False)


async def fetch_range(
    guard: Requests, url: str, limits: FetchLimits, served: ServedFile, first: int, size: int
) -> bytes:
    """So many bytes of a file. Raises OutboundError, where it is another file by now, too."""
    asked = {**HEADERS, "Range": f"bytes={first}-{first + size - 1}"}
    async with (
        within(url, limits.timeout_s),
        answer_of(guard, url, limits, asked, (200, 206, 416)) as (where, response),
    ):
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        total = int(found[3]) if found else None
        if response.status_code != 206 or total != served.size or _tag(response) != served.tag:
            raise OutboundError(at_host(where, "the file has changed while it was read"))
        chunks, left = [], size
        async for chunk in response.aiter_raw():
            left -= len(chunk)
            chunks.append(chunk)
            if left < 0:
                break
        data = b"".join(chunks)
        if not found or int(found[1]) != first or len(data) != size:
            raise OutboundError(at_host(where, "serves other ranges than it was asked for"))
        return data


async def copy(
    guard: Requests, url: str, limits: FetchLimits, write: Callable[[bytes], object]
) -> None:
    """Write a whole file of any size, unpacked if the server packed it; the time has no bound but
    the guard's own for each step. Raises OutboundError, BadStatus.
    """
    async with answer_of(guard, url, limits) as (where, response):
        encoding = encoding_of(where, response)
        if not encoding or where.path.lower().endswith(_PACKED):
            async for chunk in response.aiter_raw():
                write(chunk)
            return
        inflater = zlib.decompressobj(WINDOWS[encoding])
        try:
            async for chunk in response.aiter_raw():
                while chunk:
                    write(inflater.decompress(chunk, 1 << 20))
                    chunk = inflater.unconsumed_tail
        except zlib.error:
            raise OutboundError(at_host(where, f"the answer is no {encoding}")) from None
        if not inflater.eof:
            raise OutboundError(at_host(where, f"the {encoding} answer ends too soon"))


def _tag(response: httpx.Response) -> str:
    headers = response.headers
    return str(headers.get("etag") or headers.get("last-modified") or "")
