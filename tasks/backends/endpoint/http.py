"""HTTP to one endpoint, through the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import httpx
from pydantic_core import from_json

from ....telemetry import traces
from ...egress.addresses import parse_networks
from ...egress.allowed import Allowed, NoAnswer, NoConnection, NotAllowed, OutboundError
from ...egress.guard import OutboundGuard
from ...egress.settings import EndpointSettings
from .faults import AwayError, BrokenError, check_status

#: Bytes of one answer, at most.
_MOST_BYTES = 1 << 28

#: Bytes of an answer that says what was wrong.
_MOST_SAID = 1 << 16


class EndpointReply(NamedTuple):
    """A good answer."""

    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Its document. Raises BrokenError for what is none."""
        try:
            return from_json(self.body)
        except ValueError:
            raise BrokenError("the endpoint answered what is no JSON") from None


def open_guard(timeout_s: float, at_once: int) -> OutboundGuard:
    """The guard of one endpoint, whose connections are kept: they all go to one host.

    Raises ValueError for settings that cannot be read.
    """
    settings = EndpointSettings()
    allowed = Allowed.of(
        settings.endpoint_schemes, settings.endpoint_hosts, setting="WHERRY_ENDPOINT"
    )
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=at_once)
    return OutboundGuard(
        allowed,
        parse_networks(settings.outbound_networks),
        transport=httpx.AsyncHTTPTransport(limits=limits),
        step_s=timeout_s,
    )


class Http:
    """Requests below one URL, each with the endpoint's own headers."""

    def __init__(
        self, source: str, headers: Mapping[str, str], guard: OutboundGuard, timeout_s: float
    ) -> None:
        self._base, self._guard, self.timeout_s = source.rstrip("/"), guard, timeout_s
        #: What operators have every request carry.
        self.own_headers = dict(headers)
        self._headers = {"Accept-Encoding": "identity", **headers}
        #: What no text may tell.
        self.hidden = {
            word for value in headers.values() for word in value.split() if len(word) > 6
        }
        #: Whether any row was ever answered well.
        self.has_answered = False

    async def check(self) -> None:
        """Raise NotAllowed for a host that may not be asked; one without an address is away."""
        with suppress(NoConnection):
            await self._guard.check(self._base)

    async def resolved(self) -> tuple[httpx.URL, Sequence[str]]:
        """The URL and its host's addresses, all checked. Raises NotAllowed, NoConnection."""
        url = self._guard.allowed.url(self._base)
        return url, await self._guard.addresses(url)

    async def get(self, path: str) -> EndpointReply:
        """Ask for a document."""
        return await self._whole("GET", path, None, {})

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> EndpointReply:
        """Send a body, and read the whole answer. Raises EndpointFault, and RowError."""
        return await self._whole("POST", path, body, headers)

    async def _whole(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> EndpointReply:
        try:
            async with asyncio.timeout(self.timeout_s):
                async with self.open(method, path, body, headers) as response:
                    return EndpointReply(await _read(response, _MOST_BYTES), dict(response.headers))
        except TimeoutError:
            raise BrokenError(f"no answer within {self.timeout_s:g} s") from None

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """A good answer whose body is unread; leaving early ends it, for the server too."""
        url = f"{self._base}{path}"
        try:
            async with self._guard.request(
                method,
                url,
                headers={**self._headers, **headers, **traces.carried()},
                content=body,
            ) as response:
                if not 200 <= response.status_code < 300:
                    told = dict(response.headers)
                    check_status(
                        response.status_code,
                        told,
                        await _read(response, _MOST_SAID, cut=True),
                        has_answered=self.has_answered,
                        hidden=self.hidden,
                    )
                self.has_answered |= method == "POST"
                yield response
        except (NoConnection, NotAllowed) as error:
            raise AwayError(str(error)) from None
        except NoAnswer:
            raise BrokenError(f"no answer within {self.timeout_s:g} s") from None
        except OutboundError as error:
            raise BrokenError(str(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._guard.close()


async def _read(response: httpx.Response, most: int, *, cut: bool = False) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        parts.append(part)
        if size > most:
            if cut:
                break
            raise BrokenError(f"the endpoint's answer is over {most} bytes")
    return b"".join(parts)
