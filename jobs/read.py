from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..protocol.states import JobState
from .call import Call, call_script
from .estimate import Flow, Pace
from .group import Group
from .keys import Keys
from .owned import NOBODY, stored_id
from .record import Change, JobRecord, StoredResult
from .settings import JobsSettings


def read(job_ids: Sequence[str], settings: JobsSettings) -> Call[list[JobRecord | None]]:
    """Read records, in order; None for an unknown id."""
    return call_script(
        "read",
        settings,
        args={"ids": job_ids},
        parse=_records,
    )


def list_jobs(
    settings: JobsSettings,
    *,
    status: str = "",
    model: str = "",
    limit: int = 50,
    after: str = "",
    tenant: str = NOBODY,
) -> Call[tuple[list[str], str]]:
    """Ids of jobs, newest first, and the cursor of the next page ("" at the end).

    Those of one tenant, or of all for nobody.
    """
    return call_script(
        "list",
        settings,
        keys={"index": Keys(settings.key_prefix).index},
        args={
            "status": status,
            "model": model,
            "limit": limit,
            "after": after,
            "begins": stored_id(tenant, ""),
        },
        parse=lambda reply: ([item.decode() for item in reply[1:]], reply[0].decode()),
    )


def result(job_id: str, settings: JobsSettings) -> Call[StoredResult | None]:
    """A succeeded job's stored response; None when there is none."""
    return Call(
        [("HMGET", Keys(settings.key_prefix).job(job_id), *_RESULT_FIELDS)],
        parse=lambda reply: _stored(reply) if reply[1] is not None else None,
    )


_RESULT_FIELDS = ("result", "result_header_length", "result_ref")


def read_replies(message: bytes) -> Iterator[tuple[str, StoredResult]]:
    """Job ids and responses of one message on a `reply_to` channel, as finish.lua packs them."""
    at = 0
    while at < len(message):
        job_id, header_length, size, _ = message[at : at + _REPLY_HEADER].split(b"\n", 3)
        start = at + len(job_id) + len(header_length) + len(size) + 3
        at = start + int(size)
        yield (
            job_id.decode(),
            StoredResult(body=message[start:at], header_length=int(header_length), ref=""),
        )


#: More bytes than an id (256 characters) and two numbers take.
_REPLY_HEADER = 1100


def _stored(reply: list[bytes]) -> StoredResult:
    return StoredResult(body=reply[0], header_length=int(reply[1]), ref=reply[2].decode())


def _records(reply: list[Any]) -> list[JobRecord | None]:
    paces = {item[0]: _pace(item) for item in reply[0]}
    now_ms = int(time.time() * 1000)
    return [_record(fields, paces, now_ms) if fields else None for fields in reply[1:]]


def _pace(item: list[Any]) -> Pace:
    _, ended_at, since, jobs, batches, busy_ms, flat = item
    return Pace(
        jobs=float(jobs),
        batches=float(batches),
        busy_ms=float(busy_ms),
        ended_at_ms=int(ended_at),
        waits_since_ms=int(since),
        flows={
            name.decode(): Flow(float(weight), int(waiting))
            for name, weight, waiting in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        },
    )


def _record(f: list[Any], paces: Mapping[bytes, Pace], now_ms: int) -> JobRecord:
    status = JobState(f[3].decode())
    position, start = None, None
    if status is JobState.QUEUED:
        position = int(f[14])
        start = paces[f[16]].start_ms(position, f[15].decode(), now_ms)
        if f[17]:
            start = (start or now_ms) + int(f[17])
    return JobRecord(
        id=f[0].decode(),
        task=f[1].decode(),
        group=Group.parse(f[2].decode()),
        status=status,
        attempt=int(f[4]),
        rows=int(f[5]),
        created_at_ms=int(f[6]),
        started_at_ms=_optional_ms(f[7]),
        finished_at_ms=_optional_ms(f[8]),
        worker=_text(f[9]),
        error_type=_text(f[10]),
        error=_text(f[11]),
        history=tuple(_change(line) for line in _text(f[12]).splitlines()),
        queue_position=position,
        estimated_start_at_ms=start,
    )


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


def _optional_ms(value: bytes | None) -> int | None:
    return int(value) if value else None


def _change(line: str) -> Change:
    status, at_ms, attempt, worker = line.split("|", 3)
    return Change(JobState(status), int(at_ms), int(attempt), worker)
