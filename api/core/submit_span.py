"""The span under which a job is stored; what comes of the job later belongs to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...jobs import NewJob
from ...jobs.job_spans import destination, submit_attributes
from ...jobs.record import Submission
from ...protocol.errors import WherryError

if TYPE_CHECKING:
    from ...telemetry.tracer import Tracer


async def submitted(
    tracer: Tracer, job: NewJob, store: Callable[[NewJob], Awaitable[Submission]]
) -> Submission:
    """Store a job that knows where it stands in its trace. Raises what `store` raises."""
    if tracer.passes_over():
        # Nobody records it here. Whoever is told of its end is to heed that, too.
        if not (job.webhook or job.celery):
            return await store(job)
        from ...telemetry.tracer import current_context

        return await store(replace(job, trace=str(current_context())))
    from ...telemetry.tracer import failed, trace_context

    span = tracer.begin(f"submit {destination(job.group)}", "producer", submit_attributes(job))
    try:
        if not span.is_recording():  # by the sampler's choice
            return await store(job)
        with tracer.current(span):
            stored = await store(replace(job, trace=str(trace_context(span))))
    except WherryError as error:
        failed(span, error.code, error.message)
        raise
    else:
        if not stored.created:
            span.set_attribute("wherry.job.known", True)
        return stored
    finally:
        span.end()
