"""The trace of a Celery task: from the headers of its message to those of what follows it.

They are where OpenTelemetry's own instrumentation of Celery puts and looks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from celery import signals

from ...jobs.celery_tasks import SUBMIT
from ...telemetry import traces
from ...telemetry.trace_context import TraceContext
from .messages import TaskCall


@contextmanager
def receiving(call: TaskCall) -> Iterator[None]:
    """Begin a span for a message, to which its job belongs."""
    if (tracer := traces.tracer()) is None:
        yield
        return
    from ...telemetry.tracer import extracted, failed

    told = call.envelope["headers"].items()
    headers = {name: value for name, value in told if isinstance(value, str)}
    carried = {name: value for name, value in headers.items() if name.lower() in tracer.fields}
    if (passed := tracer.unrecorded(carried)) is not None:
        with tracer.current(passed):
            yield
        return
    about = {
        "messaging.system": "celery",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": call.id,
        "messaging.destination.name": SUBMIT,
    }
    span = tracer.begin(f"process {SUBMIT}", "consumer", about, within=extracted(headers))
    try:
        with tracer.current(span):
            yield
    except Exception as error:
        failed(span, type(error).__qualname__)
        raise
    finally:
        span.end()


@contextmanager
def telling(trace: str) -> Iterator[None]:
    """Let what is sent at a job's end belong to the job's trace."""
    tracer, found = traces.tracer(), TraceContext.read(trace)
    if tracer is None or found is None:
        yield
        return
    from ...telemetry.tracer import context_of

    with tracer.within(context_of(found)):
        yield


def carry_on() -> None:
    """Have each message that Celery sends carry its sender's trace, where this process traces."""
    if traces.tracer() is not None:
        signals.before_task_publish.connect(_carry, dispatch_uid="wherry-trace")


def _carry(headers: MutableMapping[str, Any] | None = None, **_: object) -> None:
    from ...telemetry.tracer import injected

    if headers is not None:
        headers.update(injected())
