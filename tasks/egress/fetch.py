"""Fetching a file: redirects, size and time, each bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import httpx

from ...protocol.errors import InvalidRequest, PayloadTooLarge
from .allowed import NoAnswer, OutboundError
from .inflate import WINDOWS, inflate

_REDIRECTS = (301, 302, 303, 307, 308)

#: What we want is the file itself; a server that compresses all the same is understood.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


class BadStatus(OutboundError):
    """A server answered, and gave no file."""

    def __init__(self, message: str, status: int, retry_after_s: float) -> None:
        super().__init__(message)
        self.status = status
        #: What its `Retry-After` says; 0 where it says nothing that is understood.
        self.retry_after_s = retry_after_s


class Requests(Protocol):
    """What requests go through: an OutboundGuard, or what chooses among several."""

    def request(
        self, method: str, url: str | httpx.URL, *, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send a request. Raises NotAllowed, OutboundError."""
        ...


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


async def fetch(guard: Requests, url: str, limits: FetchLimits, budget: FetchBudget) -> bytes:
    """A file's bytes, inflated. Raises OutboundError that names the host and what was wrong."""
    async with within(url, limits.timeout_s), answer_of(guard, url, limits) as (where, response):
        return await _body(where, response, limits.max_bytes, budget)


@contextlib.asynccontextmanager
async def within(url: str, timeout_s: float) -> AsyncIterator[None]:
    """Bound what is done in it. Raises NoAnswer."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise NoAnswer(at_host(httpx.URL(url), f"not done in {timeout_s:g} s")) from None


@contextlib.asynccontextmanager
async def answer_of(
    guard: Requests,
    url: str,
    limits: FetchLimits,
    headers: Mapping[str, str] = HEADERS,
    good: Collection[int] = (200,),
) -> AsyncIterator[tuple[httpx.URL, httpx.Response]]:
    """The answer at the end of all redirects, its body unread, and where that is.

    Raises OutboundError, BadStatus for an answer that is none of the good ones.
    """
    where = httpx.URL(url)
    for _ in range(limits.max_redirects + 1):
        async with guard.request("GET", where, headers=headers) as response:
            if response.status_code in _REDIRECTS:
                where = _next(where, response)
                continue
            if response.status_code not in good:
                message = at_host(where, f"answered {response.status_code}")
                raise BadStatus(message, response.status_code, _retry_after_s(response))
            yield where, response
            return
    raise OutboundError(at_host(where, f"more than {limits.max_redirects} redirects"))


def _next(where: httpx.URL, response: httpx.Response) -> httpx.URL:
    with contextlib.suppress(httpx.InvalidURL, UnicodeError, KeyError):
        return where.join(response.headers["location"])
    raise OutboundError(at_host(where, "redirects to no URL"))


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds; a date is left to whoever knows the time there."""
    told = response.headers.get("retry-after", "").strip()
    return float(told[:9]) if told.isascii() and told.isdigit() else 0.0


async def _body(
    where: httpx.URL, response: httpx.Response, max_bytes: int, budget: FetchBudget
) -> bytes:
    too_large = OutboundError(at_host(where, f"the file is over {max_bytes} bytes"))
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > max_bytes:
        raise too_large
    encoding = encoding_of(where, response)
    if encoding:
        try:
            file = await inflate(response.aiter_raw(), encoding, min(max_bytes, budget.left))
        except PayloadTooLarge:
            raise too_large from None
        except InvalidRequest:
            raise OutboundError(at_host(where, f"the answer is no {encoding}")) from None
        budget.take(len(file))
        return file
    chunks, size = [], 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        budget.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def encoding_of(where: httpx.URL, response: httpx.Response) -> str:
    """How an answer is packed; "" for as it is. Raises OutboundError for what we cannot unpack."""
    encoding: str = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in WINDOWS:
        raise OutboundError(at_host(where, f"answers in {encoding[:20]!r}, which nobody asked for"))
    return encoding


def at_host(where: httpx.URL, what: str) -> str:
    """What is wrong, and the host; never the path or the query, where people put signatures."""
    return f"host {where.raw_host.decode('ascii')!r}: {what}"
