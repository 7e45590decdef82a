"""A span for each HTTP request, after OpenTelemetry's conventions for HTTP servers.

See https://opentelemetry.io/docs/specs/semconv/http/http-spans/. The query is left out: clients may
write anything there, and what a request asks for stands in the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...telemetry.tracer import Tracer, extracted, failed
from .entry import REQUEST_ID
from .fast_route import ROUTE

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from ...telemetry.tracer import Value

#: What watches a server asks for, many times a minute: nobody looks for these among the traces.
_UNTRACED = ("/v2/health/", "/metrics", "/console", "/favicon.ico")

_NOTHING: Mapping[str, str] = MappingProxyType({})

_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)


class TracedRequests:
    """Begins a span a request; what the request does belongs to it. Stands before all else."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer
        self._fields = {name.encode("ascii") for name in tracer.fields}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].startswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        carried = [each for each in scope["headers"] if each[0] in self._fields]
        span = self._tracer.unrecorded(_decoded(carried) if carried else _NOTHING)
        if span is not None:
            with self._tracer.current(span):
                await self._app(scope, receive, send)
            return
        await self._record(scope, receive, send)

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        headers = _decoded(scope["headers"])
        first = {
            "http.request.method": method,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        }
        name = "HTTP" if method == "_OTHER" else method
        span = self._tracer.begin(name, "server", first, within=extracted(headers))
        recorded = span.is_recording()
        if recorded:
            span.set_attributes(_asked(scope, headers))

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                _answered(span, scope, message["status"])
            await send(message)

        try:
            with self._tracer.current(span):
                await self._app(scope, receive, send_told if recorded else send)
        except Exception as error:
            failed(span, type(error).__qualname__)
            raise
        finally:
            if recorded and (routes := scope.get(ROUTE)):
                span.set_attribute("http.route", routes[0])
                span.update_name(f"{name} {routes[0]}")
            span.end()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _asked(scope: Scope, headers: dict[str, str]) -> dict[str, Value]:
    told: dict[str, Value] = {
        "network.protocol.version": scope.get("http_version", "1.1"),
        **_server(headers.get("host", ""), scope.get("server")),
    }
    if (client := scope.get("client")) is not None:
        told["client.address"] = client[0]
    if agent := headers.get("user-agent"):
        told["user_agent.original"] = agent
    return told


def _server(host: str, address: Sequence[Any] | None) -> dict[str, Value]:
    """Whom the client asked, by its Host; else where we listen."""
    name, _, port = host.rpartition(":")
    if name and port.isdecimal():
        return {"server.address": name.strip("[]"), "server.port": int(port)}
    if host:
        return {"server.address": host.strip("[]")}
    return {"server.address": str(address[0])} if address else {}


def _answered(span: Span, scope: Scope, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if request_id := scope.get(REQUEST_ID):
        span.set_attribute("wherry.request.id", request_id)
    if status >= 500:
        failed(span, str(status))
