"""What spans of jobs are called and say, after OpenTelemetry's conventions for messaging.

A job is a message: submitted by the API, processed by a worker. Its destination is the model that
it waits for, of which there are few; its id is an attribute alone. See
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .group import Group
from .record import NewJob

if TYPE_CHECKING:
    from ..telemetry.tracer import Value

_SYSTEM = "wherry"

#: What messaging calls it when a message is sent, and when it is worked on.
SEND, PROCESS = "send", "process"


def destination(group: Group) -> str:
    """Where jobs of a model wait."""
    return f"{group.family}/{group.model}"


def attributes(group: Group, operation: str, kind: str) -> dict[str, Value]:
    """What spans of one job and of a batch both say."""
    return {
        "messaging.system": _SYSTEM,
        "messaging.destination.name": destination(group),
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "wherry.model.name": group.model,
        "wherry.model.version": group.version,
    }


def submit_attributes(job: NewJob) -> dict[str, Value]:
    """What the span says under which a job is stored."""
    return {
        **attributes(job.group, "submit", SEND),
        "messaging.message.id": job.id,
        "messaging.message.body.size": len(job.payload),
        "wherry.job.rows": job.rows,
        "wherry.job.priority": job.group.priority,
        "wherry.tenant": job.group.tenant,
    }


def attempt_attributes(group: Group, job_id: str, attempt: int, worker: str) -> dict[str, Value]:
    """What the span of an attempt at a job says."""
    return {
        **attributes(group, "process", PROCESS),
        "messaging.message.id": job_id,
        "messaging.client.id": worker,
        "wherry.job.attempt": attempt,
    }
