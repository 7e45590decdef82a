"""Connections that are kept for the next request, each for the name that it was made for."""

from __future__ import annotations

import httpx

#: Names whose connections are kept; those of more are closed after each answer.
_MOST_NAMES = 64

_LIMITS = httpx.Limits(max_keepalive_connections=8, keepalive_expiry=15.0)


class KeptConnections(httpx.AsyncBaseTransport):
    """A transport for an OutboundGuard whose requests go to few hosts, many to each.

    The guard's requests name addresses, and two names may share one: a connection whose certificate
    was checked for a name is not used for another.
    """

    def __init__(self) -> None:
        self._kept: dict[str, httpx.AsyncHTTPTransport] = {}
        self._plain = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        name = str(request.extensions.get("sni_hostname", request.url.host))
        transport = self._kept.get(name)
        if transport is None and len(self._kept) < _MOST_NAMES:
            transport = self._kept[name] = httpx.AsyncHTTPTransport(limits=_LIMITS)
        return await (transport or self._plain).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all of them."""
        for transport in (self._plain, *self._kept.values()):
            await transport.aclose()
