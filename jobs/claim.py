"""Claim: the next batch of a family for one worker, of the group that is due and its mates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .record import Claim, ClaimedJob, Share
from .settings import JobsSettings
from .ticket import ticket

_FIELDS = 8

#: What claim.lua says instead of a wait when no job is of a model that the worker serves.
_FOREIGN = -1


@dataclass(frozen=True, slots=True)
class BatchBudget:
    """How much one batch may hold, and how long it may wait to fill."""

    max_rows: int = 32
    max_bytes: int = 64 * 1024 * 1024
    preferred_rows: int = 0
    #: -1 for a model that the device has no part in: it waits for no company while that is busy.
    max_delay_ms: int = 0


def claim(
    hint: Group,
    worker: str,
    budgets: Mapping[str, BatchBudget],
    settings: JobsSettings,
    *,
    patient: bool = False,
    tenants_apart: bool = False,
    traced: bool = False,
) -> Call[Claim]:
    """Bind the next batch to a worker, and pass on the ticket of `hint` when jobs remain there.

    `budgets` has one for each model that the worker serves, by `Group.model_id`; other models'
    jobs are left to others. One job is always taken, however large; a job that was aboard a crash
    comes alone. A batch that the due group does not fill takes its mates' jobs along, who differ in
    tenant or priority alone; with `tenants_apart` in priority. `patient` lets one that is not full
    wait, while no other is either. `traced` tells where each job stands in a trace.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "claim",
        settings,
        keys={
            "group": keys.group(hint.id),
            "totals": keys.totals,
            "running": keys.running(worker),
            "queue": hint.queue_key,
            "deadlines": keys.deadlines,
        },
        args={
            "worker": worker,
            "group_id": hint.id,
            "ticket": ticket(hint.family, hint.id, hint.queue_key),
            "result_ttl_s": settings.result_ttl_s,
            "budgets": "".join(_line(model_id, budget) for model_id, budget in budgets.items()),
            "patient": "1" if patient else "0",
            "apart": "1" if tenants_apart else "0",
            "traced": "1" if traced else "0",
        },
        parse=_read_traced if traced else _read_claim,
    )


def _line(model_id: str, budget: BatchBudget) -> str:
    return (
        f"\n{model_id} {budget.max_rows} {budget.max_bytes} {budget.preferred_rows} "
        f"{budget.max_delay_ms}"
    )


def _read_claim(reply: list[Any]) -> Claim:
    wait_ms, *shares = reply
    return Claim(
        shares=tuple(map(_read_share, shares)),
        wait_ms=max(0, wait_ms),
        is_foreign=wait_ms == _FOREIGN,
    )


def _read_traced(reply: list[Any]) -> Claim:
    if len(reply) == 1:  # a batch that waits
        return _read_claim(reply)
    *rest, told = reply
    claim = _read_claim(rest)
    if not told:
        return claim
    traces = dict(zip(map(bytes.decode, told[::2]), told[1::2], strict=True))
    shares = tuple(
        replace(share, jobs=tuple(_with_trace(job, traces.get(job.id)) for job in share.jobs))
        for share in claim.shares
    )
    return replace(claim, shares=shares)


def _with_trace(job: ClaimedJob, trace: bytes | None) -> ClaimedJob:
    return job._replace(trace=trace.decode("latin-1")) if trace else job


def _read_share(reply: list[Any]) -> Share:
    group, charged_us, flat = Group.parse(reply[0].decode()), int(reply[1]), reply[2:]
    rows = zip(*(flat[column::_FIELDS] for column in range(_FIELDS)), strict=True)
    return Share(group, tuple(_read_job(group, row) for row in rows), charged_us)


def _read_job(group: Group, row: tuple[Any, ...]) -> ClaimedJob:
    job_id, attempt, rows, header_length, payload_key, payload_ref, created_at, solo = row
    return ClaimedJob(
        id=job_id.decode(),
        group=group,
        attempt=int(attempt),
        rows=int(rows),
        header_length=int(header_length),
        payload_key=payload_key.decode(),
        payload_ref=payload_ref.decode(),
        created_at_ms=int(created_at),
        is_suspect=solo == b"1",
    )
