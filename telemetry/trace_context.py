"""A place in a trace as text, as W3C has it: what goes through a header, a message, a record.

Needs no OpenTelemetry. See https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

#: Version 00's form, and what a later version says in it; ids of zeros alone are none.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)

#: Where the trace's id and the span's lie in it; and bytes of a tracestate, at most.
_TRACE_ID, _SPAN_ID, _FLAGS = slice(3, 35), slice(36, 52), slice(53, 55)
_MOST_STATE = 512


class TraceContext(NamedTuple):
    """A span that something belongs to, maybe one of another process."""

    traceparent: str
    tracestate: str = ""

    @classmethod
    def read(cls, text: str) -> TraceContext | None:
        """What `__str__` wrote; None for anything else, which is no fault of a job's."""
        parent, _, state = text.partition(" ")
        return cls(parent, state) if _TRACEPARENT.fullmatch(parent) else None

    def __str__(self) -> str:
        """Both as one text; a state that is too long is left out, as W3C allows."""
        has_state = 0 < len(self.tracestate) <= _MOST_STATE and self.tracestate.isascii()
        return f"{self.traceparent} {self.tracestate}" if has_state else self.traceparent

    @property
    def sampled(self) -> bool:
        """Whether whoever began it records it."""
        return bool(self.flags & 1)

    @property
    def flags(self) -> int:
        """1 for what is recorded, 2 for a trace's id that is random."""
        return int(self.traceparent[_FLAGS], 16)

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.traceparent[_TRACE_ID]

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        return self.traceparent[_SPAN_ID]

    def headers(self) -> dict[str, str]:
        """As HTTP carries it, and Celery's messages."""
        state = {TRACESTATE: self.tracestate} if self.tracestate else {}
        return {TRACEPARENT: self.traceparent, **state}
