"""A real receiver of OTLP over HTTP: reads what comes by the protocol's own messages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from .waiting import until


class Event(NamedTuple):
    name: str
    at_ns: int


class Span(NamedTuple):
    """A span as it came."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: list[Event]
    #: Trace and span, and what the link says.
    links: list[tuple[str, str, dict[str, Any]]]
    is_error: bool
    service: str
    resource: dict[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        return self.trace_id, self.span_id


class OtlpReceiver:
    """Takes traces on a port of its own; `hangs` lets it answer nobody."""

    def __init__(self, *, hangs: bool = False) -> None:
        self._lock, self._spans = threading.Lock(), list[Span]()
        self.requests, self.open = 0, threading.Event()
        if not hangs:
            self.open.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def env(self) -> dict[str, str]:
        """What has a process send its traces here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    def clear(self) -> None:
        with self._lock:
            self._spans.clear()

    def until(self, good: Callable[[list[Span]], object]) -> list[Span]:
        """What has come once it is as it should be."""
        return until(lambda: self.spans, good)

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _span(span, _read(resource_spans.resource.attributes))
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
        with self._lock:
            self._spans += found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                assert self.path == "/v1/traces", self.path
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests += 1
                receiver.open.wait()
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._take(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 # the base's

        return Handler


def _span(span: ProtoSpan, resource: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_read(span.attributes),
        events=[Event(event.name, event.time_unix_nano) for event in span.events],
        links=[
            (link.trace_id.hex(), link.span_id.hex(), _read(link.attributes)) for link in span.links
        ],
        is_error=span.status.code == 2,
        service=resource.get("service.name", ""),
        resource=resource,
    )


def _read(pairs: Any) -> dict[str, Any]:
    values = {pair.key: pair.value for pair in pairs}
    return {
        key: getattr(value, value.WhichOneof("value") or "string_value")
        for key, value in values.items()
    }
