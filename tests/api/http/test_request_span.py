"""The span of a request: what it is called, whose child it is, and when it is an error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wherry.api.http.errors import answer
from wherry.api.http.fast_route import ROUTE, FastRoute, ShortWay
from wherry.api.http.request_span import TracedRequests
from wherry.telemetry.tracer import Tracer, current_ids

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def _item(request: Request) -> Response:
    found = request.path_params["item"]
    if found == "broken":
        raise RuntimeError("a fault of ours")
    return Response(",".join(current_ids() or ()), status_code=200)


def _routed() -> ASGIApp:
    app = FastAPI()
    app.router.add_api_route(
        "/items/{item}", _item, methods=["GET"], route_class_override=FastRoute
    )
    return ShortWay(app, app.router.routes, answer)


class Asked:
    """What one request came to."""

    def __init__(self, app: ASGIApp, *, recorded: bool = True) -> None:
        self.exporter, self.body, self.status = InMemorySpanExporter(), b"", 0
        provider = TracerProvider(
            sampler=None if recorded else ParentBased(ALWAYS_OFF), shutdown_on_exit=False
        )
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._app = TracedRequests(app, Tracer(provider.get_tracer("test")))

    def ask(self, path: str, method: str = "GET", **headers: str) -> ReadableSpan:
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"secret=1",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "scheme": "https",
            "client": ("10.0.0.9", 1234),
            "server": ("10.0.0.1", 8750),
            ROUTE: [],  # the door puts it there
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            self.status = message.get("status", self.status)
            self.body += message.get("body", b"")

        asyncio.run(self._app(scope, receive, send))
        [span] = self.exporter.get_finished_spans()
        return span


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_it_is_called_by_its_route_and_says_whom_the_client_asked() -> None:
    asked = Asked(_routed())
    span = asked.ask("/items/7", host="fleet.example.org:8443")
    assert span.name == "GET /items/{item}"
    assert told(span) == {
        "http.request.method": "GET",
        "http.route": "/items/{item}",
        "http.response.status_code": 200,
        "url.path": "/items/7",
        "url.scheme": "https",
        "server.address": "fleet.example.org",
        "server.port": 8443,
        "client.address": "10.0.0.9",
        "network.protocol.version": "1.1",
    }, "and no query, which may hold anything"
    assert asked.body.decode().split(",")[1] == f"{span.context.span_id:016x}", "current inside"


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("fleet.example.org", {"server.address": "fleet.example.org"}),
        ("[::1]:8750", {"server.address": "::1", "server.port": 8750}),
        ("", {"server.address": "10.0.0.1"}),
    ],
)
def test_a_host_is_read_with_and_without_its_port(host: str, found: dict[str, Any]) -> None:
    about = told(Asked(_routed()).ask("/items/7", **({"host": host} if host else {})))
    assert {name: about[name] for name in about if name.startswith("server.")} == found


def test_it_is_the_child_of_what_the_client_says() -> None:
    span = Asked(_routed()).ask("/items/7", traceparent=f"00-{TRACE}-{PARENT}-01")
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert f"{span.context.trace_id:032x}" == TRACE


@pytest.mark.parametrize("odd", ["nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-" + "z" * 52])
def test_a_traceparent_that_is_none_begins_a_trace(odd: str) -> None:
    assert Asked(_routed()).ask("/items/7", traceparent=odd).parent is None


def test_a_fault_of_ours_is_an_error_and_a_mistake_of_the_clients_none() -> None:
    broken = Asked(_routed()).ask("/items/broken")
    assert broken.status.status_code is StatusCode.ERROR
    assert told(broken)["error.type"] == "500"
    missing = Asked(_routed()).ask("/nowhere")
    assert (missing.name, missing.status.status_code) == ("GET", StatusCode.UNSET)


def test_what_an_app_raises_goes_on_and_ends_the_span() -> None:
    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("below all handlers")

    asked = Asked(raises)
    with pytest.raises(RuntimeError):
        asked.ask("/x")
    [span] = asked.exporter.get_finished_spans()
    assert told(span)["error.type"] == "RuntimeError"


@pytest.mark.parametrize(
    ("method", "name"), [("HEAD", "HEAD /items/{item}"), ("BREW", "HTTP /items/{item}")]
)
def test_a_head_has_its_route_and_an_odd_method_none_of_its_own(method: str, name: str) -> None:
    span = Asked(_routed()).ask("/items/7", method)
    assert span.name == name
    assert told(span)["http.request.method"] == ("HEAD" if method == "HEAD" else "_OTHER")


def test_what_is_not_recorded_is_answered_all_the_same() -> None:
    asked = Asked(_routed(), recorded=False)
    with pytest.raises(ValueError, match="not enough"):
        asked.ask("/items/7")
    assert asked.status == 200
