"""Where a job, or a run, stands in a trace, as its record has it."""

from __future__ import annotations

from typing import Any

from ..telemetry.trace_context import TraceContext
from .call import Call
from .keys import Keys
from .reach import of_job
from .settings import JobsSettings

#: Bytes of one field: a hash whose values are longer takes three times the memory. The prelude's
#: `trace_of` puts them together again.
_PIECE = 64


def trace_fields(trace: str) -> dict[str, str | int]:
    """The fields of a trace: a traceparent fits into one, a tracestate takes more."""
    return {
        f"trace{at // _PIECE or ''}": trace[at : at + _PIECE] for at in range(0, len(trace), _PIECE)
    }


def read_trace(job_id: str, settings: JobsSettings) -> Call[TraceContext | None]:
    """Where a job stands in a trace; None for one that nobody traces."""
    names = [f"trace{number or ''}" for number in range(1 + 1024 // _PIECE)]

    def parse(reply: list[Any]) -> TraceContext | None:
        return TraceContext.read(b"".join(filter(None, reply)).decode("latin-1"))

    asked = ("HMGET", Keys(settings.key_prefix).job(job_id), *names)
    return Call([asked], parse=parse, reach=of_job(job_id))
