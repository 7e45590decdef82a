"""Where a job, or a run, stands in a trace, as its record has it."""

from __future__ import annotations

#: Bytes of one field: a hash whose values are longer takes three times the memory. The prelude's
#: `trace_of` puts them together again.
_PIECE = 64


def trace_fields(trace: str) -> dict[str, str | int]:
    """The fields of a trace: a traceparent fits into one, a tracestate takes more."""
    return {
        f"trace{at // _PIECE or ''}": trace[at : at + _PIECE] for at in range(0, len(trace), _PIECE)
    }
