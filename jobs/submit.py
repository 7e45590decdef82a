from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

from ..protocol import errors
from .call import Call, call_script
from .failed import not_loaded
from .group import Group
from .keys import Keys
from .reach import of_family
from .record import NewJob, Submission
from .settings import JobsSettings
from .tenants import UNLIMITED, TenantLimits
from .ticket import ticket
from .trace_fields import trace_fields
from .webhooks import CELERY

#: A larger payload goes ahead as a plain SET: Lua copies its arguments, a command does not.
_SCRIPT_ARGUMENT_MAX_BYTES = 65_536

#: Seconds that a payload sent ahead outlives a submit that never followed.
_ORPHAN_TTL_S = 60


class OtherBody(errors.Conflict):
    """The id is another request's, by the fingerprint that it was stored with."""

    def __init__(self, job_id: str, fingerprint: str) -> None:
        super().__init__(f"job {job_id!r} exists with another body; use another id")
        self.fingerprint = fingerprint


def submit(
    job: NewJob,
    settings: JobsSettings,
    *,
    reply_to: str = "",
    brief_s: int = 0,
    plain: bool = False,
) -> Call[Submission]:
    """Store a job and wake its group.

    `reply_to` is a channel on which someone waits for the response itself, "" for nobody;
    `brief_s` are the seconds that the job stays after its end, for one whose answer goes to who
    waits, 0 for as long as any other. `plain` keeps its record and its result so that an API of the
    version before reads them, in twice the memory.

    Raises QueueFull, TenantLimit, PayloadTooLarge (for the tenant's limit), OtherBody (known id),
    ModelNotReady (unloaded by an operator), ModelFailed (no worker can load it).
    A known id with the same body answers that job, `created=False`.
    """
    group = job.group
    standing = _standing(settings.key_prefix, group)
    keys = standing.names
    most = job.limits.max_waiting_bytes
    if 0 < most < len(job.payload):
        raise errors.PayloadTooLarge(f"{len(job.payload)} bytes; this API key's limit is {most}")
    payload_key = keys.payload(job.id, job.fingerprint)
    inline = b"" if job.payload_ref else job.payload
    before: tuple[tuple[Any, ...], ...] = ()
    if len(inline) > _SCRIPT_ARGUMENT_MAX_BYTES:
        # Not over one that waits already under this id: that has no end.
        before = (("SET", payload_key, inline, "NX", "EX", _ORPHAN_TTL_S),)
        inline = b""
    fields: dict[str, str | int] = {
        "task": job.task,
        "rows": job.rows,
        "header_length": job.header_length,
    }
    if reply_to:
        fields["reply_to"] = reply_to
    if job.webhook:
        fields["webhook"] = job.webhook
    if job.celery:
        fields |= {"webhook": CELERY, "celery": job.celery}
    if brief_s:
        fields["brief"] = min(brief_s, settings.result_ttl_s)
    if job.execution_timeout_ms:
        fields["execution_timeout_ms"] = job.execution_timeout_ms
    if job.trace:
        fields |= trace_fields(job.trace)
    return call_script(
        "submit",
        settings,
        keys={
            "job": keys.job(job.id),
            "payload": payload_key,
            "wait": standing.wait,
            "group": standing.group,
            "totals": standing.totals,
            "index": standing.order,
            "queue": group.queue_key,
            "deadlines": standing.deadlines,
            "unloaded": standing.unloaded,
            "idempotency": keys.idempotency(job.idempotency_key) if job.idempotency_key else "",
            "failed": standing.failed,
        },
        args={
            "id": job.id,
            "group_id": standing.group_id,
            "fingerprint": job.fingerprint,
            "payload": inline,
            "payload_ref": job.payload_ref,
            "ticket": ticket(group.family, standing.group_id, group.queue_key),
            "max_waiting": settings.max_waiting,
            "start_by_ms": job.start_by_ms,
            "result_ttl_s": settings.result_ttl_s,
            "model": group.model,
            "weight": f"{_weight(job, settings):g}",
            "bytes": len(job.payload),
            "limits": _limits(job.limits),
            "plain": "1" if plain else "",
            "fields": itertools.chain.from_iterable(fields.items()),
        },
        parse=lambda reply: _read_verdict(reply, job),
        before=before,
        reach=of_family(group.family, job.id),
    )


class _Standing(NamedTuple):
    """What all jobs of a group are stored with."""

    names: Keys
    group_id: str
    wait: str
    group: str
    totals: str
    order: str
    deadlines: str
    unloaded: str
    failed: str


@functools.lru_cache(maxsize=4096)  # asked for every request, of as many groups as have jobs
def _standing(prefix: str, group: Group) -> _Standing:
    names, group_id = Keys(prefix), group.id
    return _Standing(
        names,
        group_id,
        wait=names.wait(group_id),
        group=names.group(group_id),
        totals=names.totals,
        order=names.index,
        deadlines=names.deadlines,
        unloaded=names.unloaded,
        failed=names.failed,
    )


def _weight(job: NewJob, settings: JobsSettings) -> float:
    lane = settings.bulk_weight if job.group.is_bulk else settings.interactive_weight
    return job.weight * lane


def _limits(limits: TenantLimits) -> str:
    if limits is UNLIMITED or limits == UNLIMITED:
        return ""
    return f"{limits.max_waiting} {limits.max_waiting_bytes} {limits.submits_per_s:g}"


def _read_verdict(reply: list[Any], job: NewJob) -> Submission:
    verdict, job_id, limits = reply[0].decode(), reply[1].decode(), job.limits
    match verdict:
        case "created" | "known":
            return Submission(job_id, created=verdict == "created")
        case "conflict":
            raise OtherBody(job_id, reply[2].decode())
        case "full":
            raise errors.QueueFull("the queue is full; retry later")
        case "limited":
            name = reply[2].decode()
            raise errors.TenantLimit(
                f"this API key's limit {name} of {getattr(limits, name):g} is reached; retry later",
                retry_after_s=max(1, math.ceil(int(reply[3]) / 1000)),
            )
        case "unloaded":
            raise errors.ModelNotReady("the model is unloaded; load it, then retry")
        case "failed":
            raise errors.ModelFailed(not_loaded(job.group.model, reply[2].decode()))
        case _:
            raise errors.Unavailable("the payload was lost on its way; retry")
