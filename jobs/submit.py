from __future__ import annotations

from typing import Any

from ..protocol import errors
from .call import Call, script
from .keys import Keys
from .record import NewJob, Submission
from .settings import JobsSettings
from .ticket import ticket

#: A larger payload goes ahead as a plain SET: Lua copies its arguments, a command does not.
_SCRIPT_ARGUMENT_MAX_BYTES = 65_536

#: Seconds that a payload sent ahead outlives a submit that never followed.
_ORPHAN_TTL_S = 3600


def submit(job: NewJob, settings: JobsSettings) -> Call[Submission]:
    """Store a job and wake its group.

    Raises QueueFull, Conflict (known id, other body), ModelNotReady (unloaded by an operator).
    A known id with the same body answers that job, `created=False`.
    """
    keys = Keys(settings.key_prefix)
    group = job.group
    payload_key = keys.payload(job.id, job.fingerprint)
    inline = b"" if job.payload_ref else job.payload
    before: tuple[tuple[Any, ...], ...] = ()
    if len(inline) > _SCRIPT_ARGUMENT_MAX_BYTES:
        before = (("SET", payload_key, inline, "EX", _ORPHAN_TTL_S),)
        inline = b""
    fields: dict[str, str | int] = {
        "task": job.task,
        "model": group.model,
        "rows": job.rows,
        "bytes": len(job.payload),
        "header_length": job.header_length,
    }
    if job.reply_to:
        fields["reply_to"] = job.reply_to
    return Call(
        script("submit"),
        keys=[
            keys.job(job.id),
            payload_key,
            keys.wait(group.id),
            keys.group(group.id),
            keys.totals,
            keys.groups,
            keys.index,
            group.queue_key,
            keys.deadlines,
            keys.unloaded,
            keys.idempotency(job.idempotency_key) if job.idempotency_key else "",
        ],
        args=[
            settings.key_prefix,
            job.id,
            group.id,
            job.fingerprint,
            inline,
            job.payload_ref,
            ticket(group.family, group.id, group.queue_key),
            settings.max_waiting,
            job.start_by_ms,
            settings.result_ttl_s,
            group.model,
            *(item for pair in fields.items() for item in pair),
        ],
        parse=_read_verdict,
        before=before,
    )


def _read_verdict(reply: list[bytes]) -> Submission:
    verdict, job_id = reply[0].decode(), reply[1].decode()
    match verdict:
        case "created" | "known":
            return Submission(job_id, created=verdict == "created")
        case "conflict":
            raise errors.Conflict(f"job {job_id!r} exists with another body; use another id")
        case "full":
            raise errors.QueueFull("the queue is full; retry later")
        case "unloaded":
            raise errors.ModelNotReady("the model is unloaded; load it, then retry")
        case _:
            raise errors.Unavailable("the payload was lost on its way; retry")
