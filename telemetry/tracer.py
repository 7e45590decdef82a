"""Spans, over OpenTelemetry's API. Imported only where a process traces.

What a span is called and says is for whoever begins it: here are its parents, links and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace import Tracer as ApiTracer

from .trace_context import TRACEPARENT, TRACESTATE, TraceContext
from .unrecorded import UnrecordedSpan

if TYPE_CHECKING:
    from .lots import Lots

Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value]

#: Headers that a trace's place is carried by, and baggage, which goes no further than here.
_W3C = frozenset({TRACEPARENT, TRACESTATE, "baggage"})

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_NO_ATTRIBUTES: Attributes = MappingProxyType({})


class Tracer:
    """Begins spans. Threads and tasks may share it."""

    def __init__(
        self,
        tracer: ApiTracer,
        close: Callable[[], None] = lambda: None,
        lots: Lots | None = None,
    ) -> None:
        self._tracer = tracer
        fields = propagate.get_global_textmap().fields
        #: Headers that say where a caller stands.
        self.fields = frozenset(name.lower() for name in fields)
        self._lots = lots if self.fields <= _W3C else None
        #: Sends what is recorded.
        self.close = close

    def unrecorded(self, carried: Mapping[str, str]) -> Span | None:
        """The span of what came with these headers of `fields`, if nobody is to record it.

        None where it is to be begun, and where only that will tell. There is nothing to end, and
        nothing to tell it.
        """
        return None if self._lots is None else self._lots.unrecorded(carried)

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
        linked = [Link(_span_context(place), about) for place, about in links]
        return self._tracer.start_span(
            name, within, _KINDS[kind], attributes, links=linked, start_time=start_ns
        )

    def current(self, span: Span) -> AbstractContextManager[None]:
        """Make a span the one that what happens here belongs to. Does not end it."""
        return _Within(trace.set_span_in_context(span))

    def within(self, outer: Context) -> AbstractContextManager[None]:
        """Let what happens here belong to a context."""
        return _Within(outer)

    def passes_over(self) -> bool:
        """Whether something is current here that whoever began it does not record."""
        span = trace.get_current_span()
        if span.is_recording():
            return False
        # What was passed over here has no ids yet, and need not have.
        found = None if isinstance(span, UnrecordedSpan) else span.get_span_context()
        return found is None or (found.is_valid and not found.trace_flags.sampled)


class _Within:
    """A context that is current while the block lasts: a generator would take twice the time."""

    __slots__ = ("_outer", "_token")

    def __init__(self, outer: Context) -> None:
        self._outer = outer

    def __enter__(self) -> None:
        self._token = context.attach(self._outer)

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)


def extracted(headers: Mapping[str, str]) -> Context:
    """What a caller's headers say, by the propagators of OTEL_PROPAGATORS, and nothing besides."""
    if headers.keys().isdisjoint(propagate.get_global_textmap().fields):
        return Context()
    return propagate.extract(headers, Context())


def injected(span: Span | None = None) -> dict[str, str]:
    """Headers that carry a span on, or what is current here."""
    headers: dict[str, str] = {}
    propagate.inject(headers, None if span is None else trace.set_span_in_context(span, Context()))
    return headers


def context_of(outer: TraceContext | None) -> Context:
    """The context of what a record carries; an empty one where it carries nothing."""
    if outer is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(_span_context(outer)), Context())


def trace_context(span: Span) -> TraceContext:
    """A span as a record carries it."""
    found = span.get_span_context()
    ids = f"{trace.format_trace_id(found.trace_id)}-{trace.format_span_id(found.span_id)}"
    return TraceContext(f"00-{ids}-{found.trace_flags:02x}", found.trace_state.to_header())


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


def _span_context(told: TraceContext) -> SpanContext:
    """As the propagator reads it, in a tenth of its time: what is here was checked before."""
    state = TraceState.from_header([told.tracestate]) if told.tracestate else None
    return SpanContext(
        int(told.trace_id, 16),
        int(told.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(told.flags),
        trace_state=state,
    )
