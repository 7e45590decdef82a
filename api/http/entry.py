"""What every request passes first."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Awaitable
from contextvars import ContextVar

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...telemetry import logs
from ...telemetry.api_metrics import UNMATCHED, requests
from .draining import draining
from .fast_route import ROUTE
from .ids import uuid7

#: Where a request's id lies in its ASGI scope.
REQUEST_ID = "wherry.request_id"

_HEADER = b"x-request-id"

#: What answers are to be told with, on the surfaces whose bodies have no place for it.
WARNING_HEADER = b"wherry-warning"
told: ContextVar[list[str] | None] = ContextVar("told", default=None)

#: Bytes of that header, at most.
_LONGEST_WARNING = 2000
_JOBS = ("/v2/jobs/", "/v2/dead/")

#: Bytes from which an answer is compressed for a client that asks; below it the work costs more.
_GZIP_MIN_BYTES = 8192

#: zlib's middle way: level 9 takes three times as long to save two percent.
_GZIP_LEVEL = 5

#: Status of a request whose client left before its answer began, as nginx has it.
_LEFT = 499

#: A client's own request id is kept when it can stand in a log line.
_PRINTABLE = re.compile(rb"[!-~]{1,128}")


class Door:
    """Names each request, keeps job ids whole in their paths, compresses answers when asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        # A number is as good a name as a UUID, and costs no random bytes.
        self._prefix, self._numbers = uuid7().encode(), itertools.count(1)
        # Raw tensors hardly shrink; server-sent events must not be held back.
        self._compressed = GZipMiddleware(
            app,
            minimum_size=_GZIP_MIN_BYTES,
            compresslevel=_GZIP_LEVEL,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, and its answer out with the request's id."""
        if scope["type"] != "http":
            await self._plain(scope, receive, send)
            return
        given, compress = b"", False
        for name, value in scope["headers"]:
            if name == _HEADER:
                given = value
            elif name == b"accept-encoding":
                compress = compress or accepts_gzip(value)
        began, status = time.perf_counter(), _LEFT
        routes: list[str] = []
        scope[ROUTE] = routes
        warnings: list[str] = []
        told.set(warnings)
        kept = bool(_PRINTABLE.fullmatch(given))
        request_id = given if kept else b"%s-%x" % (self._prefix, next(self._numbers))
        scope[REQUEST_ID] = request_id.decode("ascii")
        if scope["path"].startswith(_JOBS):
            # Servers hand over a decoded path, in which an id's slash looks like a separator.
            scope["path"] = scope["raw_path"].decode("latin-1")

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                nonlocal status
                status = message["status"]
                message["headers"] = [*message["headers"], *_added(request_id, warnings)]
            await send(message)

        app = self._compressed if compress else self._plain
        requests.now += 1
        try:
            work = app(scope, receive, send_named)
            await (_logged(scope, work) if logs.structured() else work)
        except Exception:
            status = 500
            raise
        finally:
            requests.now -= 1
            route = routes[0] if routes else UNMATCHED
            requests.answered(route, scope["method"], status, time.perf_counter() - began)


def _added(request_id: bytes, warnings: list[str]) -> list[tuple[bytes, bytes]]:
    """The headers that every answer gets."""
    added = [(_HEADER, request_id)]
    if draining.on:  # the next request is another process's
        added.append((b"connection", b"close"))
    if warnings:
        text = "; ".join(warnings).encode("ascii", "replace")[:_LONGEST_WARNING]
        added.append((WARNING_HEADER, text))
    return added


async def _logged(scope: Scope, work: Awaitable[None]) -> None:
    """Let what is logged meanwhile say which request it is about."""
    with logs.about(request_id=scope[REQUEST_ID]):
        await work


def accepts_gzip(header: bytes) -> bool:
    """Whether an Accept-Encoding asks for gzip; `gzip;q=0` asks for anything else."""
    for part in header.lower().split(b","):
        name, _, quality = part.partition(b";")
        if name.strip() == b"gzip":
            return quality.replace(b" ", b"").removeprefix(b"q=").strip(b"0.") != b"" or not quality
    return False
