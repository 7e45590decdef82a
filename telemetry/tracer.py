"""Spans, over OpenTelemetry's API. Imported only where a process traces.

What a span is called and says is for whoever begins it: here are its parents, links and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace import Tracer as ApiTracer
from opentelemetry.trace.propagation import tracecontext

from .trace_context import TRACEPARENT, TRACESTATE, TraceContext

Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value]

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_NO_ATTRIBUTES: Attributes = MappingProxyType({})

#: W3C's own, whatever OTEL_PROPAGATORS says: what our records and messages carry.
_W3C = tracecontext.TraceContextTextMapPropagator()


class Tracer:
    """Begins spans. Threads and tasks may share it."""

    def __init__(self, tracer: ApiTracer, close: Callable[[], None] = lambda: None) -> None:
        self._tracer = tracer
        #: Sends what is recorded.
        self.close = close

    def begin(
        self,
        name: str,
        kind: str,
        attributes: Attributes = _NO_ATTRIBUTES,
        *,
        within: Context | None = None,
        links: Iterable[tuple[TraceContext, Attributes]] = (),
        start_ns: int | None = None,
    ) -> Span:
        """Begin a span, which its caller ends.

        It belongs to `within`, else to what is current here. A `kind` is OpenTelemetry's, in small
        letters. A link has attributes of its own. `start_ns` is since the epoch.
        """
        linked = [
            Link(found, about)
            for trace_context, about in links
            if (found := _span_context(trace_context)) is not None
        ]
        return self._tracer.start_span(
            name, within, _KINDS[kind], attributes, links=linked, start_time=start_ns
        )

    @contextmanager
    def current(self, span: Span) -> Iterator[Span]:
        """Make a span the one that what happens here belongs to. Does not end it."""
        token = context.attach(trace.set_span_in_context(span))
        try:
            yield span
        finally:
            context.detach(token)

    @contextmanager
    def within(self, outer: Context) -> Iterator[None]:
        """Let what happens here belong to a context."""
        token = context.attach(outer)
        try:
            yield
        finally:
            context.detach(token)


def extracted(headers: Mapping[str, str]) -> Context:
    """What a caller's headers say, by the propagators of OTEL_PROPAGATORS, and nothing besides."""
    return propagate.extract(headers, Context())


def injected(span: Span | None = None) -> dict[str, str]:
    """Headers that carry a span on, or what is current here."""
    headers: dict[str, str] = {}
    propagate.inject(headers, None if span is None else trace.set_span_in_context(span, Context()))
    return headers


def context_of(outer: TraceContext | None) -> Context:
    """The context of what a record carries; an empty one where it carries nothing."""
    return Context() if outer is None else _W3C.extract(outer.headers(), Context())


def trace_context(span: Span) -> TraceContext:
    """A span as a record carries it."""
    told: dict[str, str] = {}
    _W3C.inject(told, trace.set_span_in_context(span, Context()))
    return TraceContext(told.get(TRACEPARENT, ""), told.get(TRACESTATE, ""))


def current_ids() -> tuple[str, str] | None:
    """The ids of the trace and the span that are current here, as W3C writes them."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)


def current_context() -> TraceContext | None:
    """What is current here, recorded or not, as a record carries it; None for nothing."""
    span = trace.get_current_span()
    return trace_context(span) if span.get_span_context().is_valid else None


def failed(span: Span, error_type: str, message: str = "") -> None:
    """Say that what a span stands for went wrong."""
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR, message or None))


def _span_context(told: TraceContext) -> SpanContext | None:
    found = trace.get_current_span(context_of(told)).get_span_context()
    return found if found.is_valid else None
