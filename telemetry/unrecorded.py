"""A span that nobody records, as light as it can be. Needs no SDK."""

from __future__ import annotations

import random

from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from .trace_context import TraceContext

#: A trace's id that is as random as W3C's second flag says.
_RANDOM = 2


class UnrecordedSpan(NonRecordingSpan):
    """A span that nobody records. Its ids are made when somebody asks for them."""

    def __init__(self, trace_id: int, parent: TraceContext | None = None) -> None:
        self._trace_id, self._parent = trace_id, parent
        self._place: SpanContext | None = None

    def get_span_context(self) -> SpanContext:
        """As of any span that is not recorded."""
        if self._place is None:
            flags, state = _RANDOM, None
            if self._parent is not None:
                flags = self._parent.flags & _RANDOM
                if self._parent.tracestate:
                    state = TraceState.from_header([self._parent.tracestate])
            self._place = SpanContext(
                self._trace_id,
                random.getrandbits(64) or 1,  # not for secrets, and not 0
                is_remote=False,
                trace_flags=TraceFlags(flags),
                trace_state=state,
            )
        return self._place

    def __repr__(self) -> str:
        """As those of OpenTelemetry."""
        return f"UnrecordedSpan({self.get_span_context()!r})"
