"""Files that a request names by URL: all fetched at once, before the request becomes a job.

Requests are read by plain functions, which cannot wait. So one that names URLs is read twice: the
first time to learn which files it wants, the second time with them. Others are read once.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

from ...protocol.errors import InvalidRequest, PayloadTooLarge, WherryError
from ...tasks.egress.allowed import NotAllowed, OutboundError, UrlRules
from ...tasks.egress.fetch import FetchBudget, FetchLimits, fetch
from ...tasks.egress.guard import OutboundGuard
from .buckets import Buckets, names_object

T_co = TypeVar("T_co", covariant=True)

#: Readings of one request: a list of files is asked for as a whole, so that two do.
_MOST_READINGS = 4

#: What stands for a file that is not fetched yet: not empty, which is a row without one.
_STAND_IN = b"\0"


class NamedFiles:
    """The files of one request: what was fetched, and what its reading asks for besides."""

    def __init__(
        self, allowed: UrlRules | None, most: int = 0, buckets: Buckets | None = None
    ) -> None:
        self._allowed, self._most, self._buckets = allowed, most, buckets
        self._found: dict[str, bytes | OutboundError] = {}
        self.wanted: set[str] = set()
        #: Whether this reading met a URL that is not going to be fetched.
        self.refused = False

    def get(self, url: str, field: str) -> bytes:
        """A file; some stand-in while it is not fetched. Raises InvalidRequest."""
        in_bucket = names_object(url)
        if not (self._buckets if in_bucket else self._allowed):
            setting = "WHERRY_URL_BUCKETS" if in_bucket else "WHERRY_URL_HOSTS"
            raise InvalidRequest(
                f"{field}: URLs are not fetched ({setting} is empty); send the file in base64"
            )
        found = self._found.get(url)
        if found is None:
            self._want(url, field)
            return _STAND_IN
        if isinstance(found, OutboundError):
            raise InvalidRequest(f"{field}: {found}")
        return found

    def _want(self, url: str, field: str) -> None:
        try:
            if self._buckets and names_object(url):
                self._buckets.check(url)
            elif self._allowed:
                self._allowed.url(url)
        except NotAllowed as error:
            self.refused = True
            raise InvalidRequest(f"{field}: {error}") from None
        if url not in self.wanted and len(self._found) + len(self.wanted) >= self._most:
            self.refused = True
            raise PayloadTooLarge(f"{field}: a request may name {self._most} files by URL")
        self.wanted.add(url)

    def fill(self, found: dict[str, bytes | OutboundError]) -> None:
        """Keep what was fetched, faults too."""
        self._found |= found
        self.wanted.clear()
        self.refused = False


#: For requests whose URLs are not fetched.
NO_FILES = NamedFiles(None)


class RequestParser(Protocol[T_co]):
    """Reads a request that may name files by URL.

    It is called again with the files that it asked for, so it takes nothing out of what it reads.
    """

    def __call__(self, files: NamedFiles, /) -> T_co:
        """What a request comes to, with some stand-in for each file that is not there yet."""
        ...


class NamedFileReader:
    """Reads requests that may name files by URL."""

    def __init__(
        self,
        guard: OutboundGuard,
        limits: FetchLimits,
        *,
        at_once: int,
        max_files: int,
        max_bytes: int,
        buckets: Buckets | None = None,
    ) -> None:
        self._guard, self._limits, self._buckets = guard, limits, buckets
        self._max_files, self._max_bytes = max_files, max_bytes
        self._places = asyncio.Semaphore(at_once)

    async def read(self, reading: RequestParser[T_co], *, in_thread: bool) -> T_co:
        """What a request comes to, once all files that it names are there.

        Raises what `reading` does.
        """
        files, budget = (
            NamedFiles(self._guard.allowed, self._max_files, self._buckets),
            FetchBudget(self._max_bytes),
        )
        for _ in range(_MOST_READINGS):
            try:
                read = await asyncio.to_thread(reading, files) if in_thread else reading(files)
            except WherryError:
                if files.refused or not files.wanted:
                    raise
            else:
                if not files.wanted:
                    return read
            files.fill(await self._fetch(files.wanted, budget))
            in_thread = True
        raise InvalidRequest("the request names its files in too many steps")

    async def _fetch(self, urls: set[str], budget: FetchBudget) -> dict[str, bytes | OutboundError]:
        async def one(url: str) -> bytes | OutboundError:
            async with self._places:
                try:
                    if self._buckets and names_object(url):
                        return await self._buckets.fetch(url, self._limits, budget)
                    return await fetch(self._guard, url, self._limits, budget)
                except OutboundError as error:
                    return error

        ordered = list(urls)
        return dict(zip(ordered, await asyncio.gather(*map(one, ordered)), strict=True))
