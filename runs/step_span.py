"""The span of a step of a run: what its run worker does, in the trace of whoever began the run.

The jobs of a step are none of its children: a run may have millions. Each of its requests to the
API begins a trace of its own, which is linked to the step's span and recorded where that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..jobs.run_records import Step
from ..telemetry import traces
from ..telemetry.trace_context import TraceContext


class StepSpan:
    """What a step leaves in its trace."""

    def __init__(self, context: TraceContext | None = None) -> None:
        #: What the requests of the step are linked to; None where nobody traces the run.
        self.context = context
        #: Why it was left; "" for one that was done.
        self.error_type = ""


@contextmanager
def tracing(step: Step, worker: str) -> Iterator[StepSpan]:
    """Trace a step, where its run is traced; no looks at a source that come every few seconds."""
    if step.name == "follow":
        yield StepSpan()
        return
    tracer, outer = traces.tracer(), TraceContext.read(step.trace)
    if tracer is None or outer is None or not outer.sampled:
        yield StepSpan(outer)
        return
    from ..telemetry.tracer import context_of, failed, trace_context

    kind = step.name.partition("/")[0]
    about = {
        "messaging.system": "wherry",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.client.id": worker,
        "wherry.run.id": step.run_id,
        "wherry.run.step": step.name,
        "wherry.model.name": step.spec.model,
    }
    span = tracer.begin(f"run {kind}", "consumer", about, within=context_of(outer))
    told = StepSpan(trace_context(span))
    try:
        yield told
    finally:
        if told.error_type:
            failed(span, told.error_type)
        span.end()
