from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ..protocol.states import JobState
from .call import Call, script
from .group import Group
from .keys import Keys
from .record import Change, Record, StoredResult
from .settings import JobsSettings


def read(job_ids: Sequence[str], settings: JobsSettings) -> Call[list[Record | None]]:
    """Read records, in order; None for an unknown id."""
    return Call(
        script("read"),
        keys=[],
        args=[settings.key_prefix, *job_ids],
        parse=lambda reply: [_record(fields) if fields else None for fields in reply],
    )


def list_jobs(
    settings: JobsSettings, *, status: str = "", model: str = "", limit: int = 50, after: str = ""
) -> Call[tuple[list[str], str]]:
    """Ids of jobs, newest first, and the cursor of the next page ("" at the end)."""
    return Call(
        script("list"),
        keys=[Keys(settings.key_prefix).index],
        args=[settings.key_prefix, status, model, limit, after],
        parse=lambda reply: ([item.decode() for item in reply[1:]], reply[0].decode()),
    )


def result(job_id: str, settings: JobsSettings) -> Call[StoredResult | None]:
    """A succeeded job's stored response; None when there is none."""
    return Call(
        None,
        keys=[],
        args=[],
        before=[("HMGET", Keys(settings.key_prefix).job(job_id), *_RESULT_FIELDS)],
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


def _record(f: list[Any]) -> Record:
    status = JobState(f[3].decode())
    position, start = None, None
    if status is JobState.QUEUED and len(f) > 14:
        position = max(0, int(f[13]) - int(f[14]) - 1)
        start = _estimate(position, f[15], f[16])
    return Record(
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


def _estimate(position: int, rate: bytes, rate_at: bytes) -> int | None:
    """When the job should start, from the group's recent rate; None while nothing runs."""
    if not rate:
        return None
    now_ms = time.time() * 1000
    jobs_per_s = float(rate) * math.exp(-(now_ms - float(rate_at)) / 10_000)
    if jobs_per_s < 0.01:
        return None
    return int(now_ms + 1000 * position / jobs_per_s)
