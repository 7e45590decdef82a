"""Fetching a file: redirects, size and time, each bounded."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from ...protocol.errors import InvalidRequest, PayloadTooLarge
from ...tasks.egress.allowed import OutboundError
from ...tasks.egress.guard import OutboundGuard
from .inflate import WINDOWS, inflate

_REDIRECTS = (301, 302, 303, 307, 308)

#: What we want is the file itself; a server that compresses all the same is understood.
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(slots=True)
class FetchBudget:
    """Bytes that the files of one request may have together."""

    left: int

    def take(self, count: int) -> None:
        """Spend some. Raises OutboundError when there are none left."""
        self.left -= count
        if self.left < 0:
            raise OutboundError("the request's files are over WHERRY_MAX_BODY_BYTES together")


class FetchLimits(NamedTuple):
    """What one file may cost."""

    max_bytes: int
    timeout_s: float
    max_redirects: int


async def fetch(guard: OutboundGuard, url: str, limits: FetchLimits, budget: FetchBudget) -> bytes:
    """A file's bytes, inflated. Raises OutboundError that names the host and what was wrong."""
    where = httpx.URL(url)
    try:
        async with asyncio.timeout(limits.timeout_s):
            for _ in range(limits.max_redirects + 1):
                async with guard.request("GET", where, headers=_HEADERS) as response:
                    if response.status_code in _REDIRECTS:
                        where = _next(where, response)
                        continue
                    if response.status_code != 200:
                        raise OutboundError(_at_host(where, f"answered {response.status_code}"))
                    return await _body(where, response, limits.max_bytes, budget)
    except TimeoutError:
        raise OutboundError(_at_host(where, f"not done in {limits.timeout_s:g} s")) from None
    raise OutboundError(_at_host(where, f"more than {limits.max_redirects} redirects"))


def _next(where: httpx.URL, response: httpx.Response) -> httpx.URL:
    with contextlib.suppress(httpx.InvalidURL, UnicodeError, KeyError):
        return where.join(response.headers["location"])
    raise OutboundError(_at_host(where, "redirects to no URL"))


async def _body(
    where: httpx.URL, response: httpx.Response, max_bytes: int, budget: FetchBudget
) -> bytes:
    too_large = OutboundError(_at_host(where, f"the file is over {max_bytes} bytes"))
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > max_bytes:
        raise too_large
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in WINDOWS:
        try:
            file = await inflate(response.aiter_raw(), encoding, min(max_bytes, budget.left))
        except PayloadTooLarge:
            raise too_large from None
        except InvalidRequest:
            raise OutboundError(_at_host(where, f"the answer is no {encoding}")) from None
        budget.take(len(file))
        return file
    if encoding not in ("", "identity"):
        raise OutboundError(
            _at_host(where, f"answers in {encoding[:20]!r}, which nobody asked for")
        )
    chunks, size = [], 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        budget.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _at_host(where: httpx.URL, what: str) -> str:
    return f"host {where.raw_host.decode('ascii')!r}: {what}"
