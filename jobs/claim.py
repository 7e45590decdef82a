from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .call import Call, script
from .group import Group
from .keys import Keys
from .record import Claim, ClaimedJob
from .settings import JobsSettings
from .ticket import ticket

_FIELDS = 7


@dataclass(frozen=True, slots=True)
class BatchBudget:
    """How much one batch may hold, and how long it may wait to fill."""

    max_rows: int = 32
    max_bytes: int = 64 * 1024 * 1024
    preferred_rows: int = 0
    max_delay_ms: int = 0


def claim(group: Group, worker: str, budget: BatchBudget, settings: JobsSettings) -> Call[Claim]:
    """Bind the next batch of a group to a worker, and pass the ticket on when jobs remain.

    One job is always taken, however large; a job that was aboard a crash comes alone.
    """
    keys = Keys(settings.key_prefix)
    return Call(
        script("claim"),
        keys=[
            keys.wait(group.id),
            keys.group(group.id),
            keys.totals,
            keys.running(worker),
            group.queue_key,
            keys.deadlines,
        ],
        args=[
            settings.key_prefix,
            worker,
            budget.max_rows,
            budget.max_bytes,
            ticket(group.family, group.id, group.queue_key),
            settings.result_ttl_s,
            budget.preferred_rows,
            budget.max_delay_ms,
        ],
        parse=_read_claim,
    )


def _read_claim(reply: list[Any]) -> Claim:
    wait_ms, flat = int(reply[0]), reply[1:]
    rows = (flat[i : i + _FIELDS] for i in range(0, len(flat), _FIELDS))
    return Claim(tuple(_read_job(row) for row in rows), wait_ms)


def _read_job(row: list[Any]) -> ClaimedJob:
    job_id, attempt, rows, header_length, payload_key, payload_ref, created_at = row
    return ClaimedJob(
        id=job_id.decode(),
        attempt=int(attempt),
        rows=int(rows),
        header_length=int(header_length),
        payload_key=payload_key.decode(),
        payload_ref=payload_ref.decode(),
        created_at_ms=int(created_at),
    )
