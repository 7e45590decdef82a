"""The one way out: requests to hosts that are allowed, at addresses that were checked.

A name is resolved once; every address it has must be allowed; and the connection goes to one of
those addresses, so that a name which changes its mind between check and use (DNS rebinding) changes
nothing. The name still stands in `Host`, in TLS's SNI, and in the certificate that is asked for.
Libraries for this exist, but connect before they check (httpx-secure 2.0), ask Google's name server
(safehttpx), or are alpha (drawbridge); all decide by Python's `is_global`, see `addresses.py`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx

from ... import __version__
from .addresses import Network, may_reach
from .allowed import BrokenAnswer, NoAnswer, NoConnection, NotAllowed, UrlRules

#: Answers the numeric addresses of a host.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: Addresses of one host that are tried.
_MOST_ADDRESSES = 4

#: Seconds until a connection stands, or a byte comes; the caller bounds the whole.
_STEP_S = 10.0

#: The system's own lookups block a thread each: not those that the API works with.
_LOOKUPS = ThreadPoolExecutor(8, thread_name_prefix="lookup")


async def lookup(host: str, port: int) -> Sequence[str]:
    """A host's addresses, as the system knows them."""
    found = await asyncio.get_running_loop().run_in_executor(
        _LOOKUPS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def plain_transport() -> httpx.AsyncHTTPTransport:
    """Connections that are closed after each answer: none is kept for another name.

    Proxies of the environment play no part; its SSL_CERT_FILE does.
    """
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))


class OutboundGuard:
    """Sends requests to what is allowed. Owns its transport: `close` it."""

    def __init__(
        self,
        allowed: UrlRules,
        networks: Sequence[Network] = (),
        *,
        resolve: Resolve = lookup,
        transport: httpx.AsyncBaseTransport | None = None,
        step_s: float = _STEP_S,
        connect_s: float = _STEP_S,
    ) -> None:
        self.allowed, self._connect_s = allowed, min(connect_s, step_s, _STEP_S)
        self._networks, self._resolve, self._step_s = networks, resolve, step_s
        self._transport = transport or (plain_transport() if allowed else None)

    async def addresses(self, url: httpx.URL) -> Sequence[str]:
        """The addresses of an allowed URL's host. Raises NotAllowed unless all may be reached."""
        host = url.raw_host.decode("ascii")
        try:
            found = await self._resolve(host, url.port or {"https": 443, "http": 80}[url.scheme])
        except (OSError, UnicodeError):
            raise NoConnection(f"host {host!r}: the name cannot be resolved") from None
        if not found:
            raise NoConnection(f"host {host!r}: the name has no address")
        if not all(may_reach(address, self._networks) for address in found):
            raise NotAllowed(
                f"host {host!r}: not at a public address, nor in WHERRY_OUTBOUND_NETWORKS"
            )
        return found[:_MOST_ADDRESSES]

    async def check(self, url: str) -> None:
        """Raise what `request` would before it connects."""
        await self.addresses(self.allowed.url(url))

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str | httpx.URL,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; the answer's body is unread, redirects are answers. No cookies are kept.

        Raises NotAllowed, and OutboundError for what goes wrong on the way, in the caller's block
        too.
        """
        checked = self.allowed.url(url)
        found = await self.addresses(checked)
        host = checked.raw_host.decode("ascii")
        try:
            response = await self._send(method, checked, found, headers, content)
            try:
                yield response
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NoConnection(f"host {host!r}: {_why(error)}") from None
        except httpx.TimeoutException:
            raise NoAnswer(f"host {host!r}: no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise BrokenAnswer(f"host {host!r}: the answer broke off or is no HTTP") from None

    async def _send(
        self,
        method: str,
        url: httpx.URL,
        addresses: Sequence[str],
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> httpx.Response:
        assert self._transport is not None
        refused: httpx.HTTPError = httpx.ConnectError("no address")
        for address in addresses:
            request = httpx.Request(
                method,
                url.copy_with(host=address),
                headers={
                    "Host": url.netloc.decode("ascii"),
                    "User-Agent": f"wherry/{__version__}",
                    **headers,
                },
                content=content,
                extensions={
                    "sni_hostname": url.raw_host.decode("ascii"),
                    "timeout": {
                        **dict.fromkeys(("connect", "pool"), self._connect_s),
                        **dict.fromkeys(("read", "write"), self._step_s),
                    },
                },
            )
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error  # nothing was sent: the next address may do better
        raise refused

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.aclose()


def _why(error: BaseException | None) -> str:
    """Why there is no connection, as far as whoever runs the host can mend it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "no connection: it has no trusted certificate of this name (see SSL_CERT_FILE)"
        if isinstance(error, ssl.SSLError):
            return "no connection: what answers there speaks no TLS, or none that fits"
        error = error.__cause__ or error.__context__
    return "no connection"
