from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from ..protocol.states import JobState
from ..telemetry.trace_context import TraceContext
from .call import Call, call_script
from .estimate import Flow, Pace
from .group import Group
from .keys import Keys
from .owned import NOBODY, stored_id
from .pages import Listed
from .reach import of_job, of_jobs
from .record import BatchTook, Change, JobRecord, StoredRequest, StoredResult
from .settings import JobsSettings


def read(job_ids: Sequence[str], settings: JobsSettings) -> Call[list[JobRecord | None]]:
    """Read records, in order; None for an unknown id."""
    return call_script(
        "read",
        settings,
        args={"ids": job_ids},
        parse=lambda reply: _records(job_ids, reply),
        reach=of_jobs(job_ids),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs a list has; "" and None for any."""

    status: str = ""
    model: str = ""
    tenant: str = ""
    #: An error's type.
    error: str = ""
    #: Milliseconds since the epoch between which they were submitted.
    since_ms: int | None = None
    until_ms: int | None = None

    def admits(self, record: JobRecord, *, whatever_status: bool = False) -> bool:
        """Whether a job is among them; a status and an error pass."""
        lasting = (
            self.model in ("", record.group.model)
            and self.tenant in ("", record.group.tenant)
            and (self.since_ms is None or record.created_at_ms >= self.since_ms)
            and (self.until_ms is None or record.created_at_ms <= self.until_ms)
        )
        now = self.status in ("", record.status) and self.error in ("", record.error_type)
        return lasting and (whatever_status or now)


class JobPage(NamedTuple):
    """Ids of jobs, newest first."""

    ids: Sequence[str]
    #: The cursor of the next page; "" at the end.
    following: str
    #: Where a list of the jobs to come begins: `above` of such a call.
    newest: str
    #: The jobs once more, with their times and places.
    listed: Sequence[Listed] = ()


def list_jobs(
    settings: JobsSettings,
    wanted: Wanted = Wanted(),
    *,
    limit: int = 50,
    after: str = "",
    above: str = "",
    whose: str = NOBODY,
) -> Call[JobPage]:
    """The jobs of a tenant, or of all for nobody; those before one, those since one."""
    return call_script(
        "list",
        settings,
        keys={"index": Keys(settings.key_prefix).index},
        args={
            "status": wanted.status,
            "model": quote(wanted.model, safe=""),
            "limit": limit,
            "after": after,
            "begins": stored_id(whose, ""),
            "tenant": quote(wanted.tenant, safe=""),
            "error": wanted.error,
            "since": "" if wanted.since_ms is None else wanted.since_ms,
            "until": "" if wanted.until_ms is None else wanted.until_ms,
            "above": above,
        },
        parse=_page,
    )


def _page(reply: list[bytes]) -> JobPage:
    following, newest, *items = (item.decode() for item in reply)
    ids, times = items[: len(items) // 2], items[len(items) // 2 :]
    places = (at.split() for at in times)
    listed = [
        Listed(job_id, int(ms), place) for job_id, (ms, place) in zip(ids, places, strict=True)
    ]
    return JobPage(ids, following, newest, listed)


def request(job_id: str, settings: JobsSettings) -> Call[StoredRequest | None]:
    """What a job was asked; None when it is gone, as it may be once the job has ended."""
    return call_script(
        "request",
        settings,
        keys={"job": Keys(settings.key_prefix).job(job_id)},
        parse=_request,
        reach=of_job(job_id),
    )


def _request(reply: list[Any] | None) -> StoredRequest | None:
    if reply is None:
        return None
    header_length, ref, body = reply
    if body is None and not ref:
        return None
    return StoredRequest(body=body or b"", header_length=int(header_length), ref=ref.decode())


def result(job_id: str, settings: JobsSettings) -> Call[StoredResult | None]:
    """A succeeded job's stored response; None when there is none."""
    return Call(
        [("HMGET", Keys(settings.key_prefix).job(job_id), *_RESULT_FIELDS)],
        parse=_stored,
        reach=of_job(job_id),
    )


#: A small response's header length, and the pieces of it, as finish.lua cuts it.
_PIECES = ("head", *map(str, range(1, 17)))

_RESULT_FIELDS = ("result_header_length", "result", "result_ref", *_PIECES)


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


def _stored(reply: list[bytes | None]) -> StoredResult | None:
    header_length, body, ref, head, *pieces = reply
    if head is not None:
        header_length, body = head, b"".join(piece for piece in pieces if piece is not None)
    if header_length is None:
        return None
    return StoredResult(body=body or b"", header_length=int(header_length), ref=_text(ref))


def _records(job_ids: Sequence[str], reply: list[Any]) -> list[JobRecord | None]:
    paces = {item[0]: _pace(item) for item in reply[0]}
    now_ms = int(time.time() * 1000)
    found = zip(job_ids, reply[1:], strict=True)
    return [_record(job_id, fields, paces, now_ms) if fields else None for job_id, fields in found]


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


def _record(job_id: str, f: list[Any], paces: Mapping[bytes, Pace], now_ms: int) -> JobRecord:
    status, attempt, worker = JobState(f[0].decode()), int(f[3]), _text(f[8])
    created, started, finished = int(f[5]), _optional_ms(f[6]), _optional_ms(f[7])
    life = [Change(JobState.QUEUED, created, 0, "")]
    if started is not None and status is not JobState.QUEUED:
        life.append(Change(JobState.RUNNING, started, attempt, worker))
    if finished is not None:
        life.append(Change(status, finished, attempt, worker))
    position, start = None, None
    if status is JobState.QUEUED:
        position = int(f[15])
        start = paces[f[17]].start_ms(position, f[16].decode(), now_ms)
        if f[18]:
            start = (start or now_ms) + int(f[18])
    return JobRecord(
        id=job_id,
        task=f[1].decode(),
        group=Group.parse(f[2].decode()),
        status=status,
        attempt=attempt,
        rows=int(f[4]),
        created_at_ms=created,
        started_at_ms=started,
        finished_at_ms=finished,
        worker=worker,
        error_type=_text(f[9]),
        error=_text(f[10]),
        history=_history(_text(f[11]), life),
        queue_position=position,
        estimated_start_at_ms=start,
        took=_took(f[13]) if finished is not None else None,
        trace_id=_trace_id(f[14]),
    )


def _trace_id(told: bytes | None) -> str:
    found = TraceContext.read(told.decode("latin-1")) if told else None
    return found.trace_id if found else ""


def _took(told: bytes | None) -> BatchTook | None:
    """None where an older version ended the job, or no worker did."""
    if told is None:
        return None
    waited_us, compute_us, output_us, total_us, rows = map(int, told.split())
    return BatchTook(
        waited_us=waited_us,
        compute_us=compute_us,
        output_us=output_us,
        total_us=total_us,
        rows=rows,
    )


def _history(told: str, life: Sequence[Change]) -> tuple[Change, ...]:
    """What became of a job: what is written, and its last attempt, which only its fields may tell.

    Less than that is written where workers of two versions had the job in turn.
    """
    found = [_change(line) for line in told.splitlines()]
    written = {(change.status, change.at_ms) for change in found}
    missing = [change for change in life if (change.status, change.at_ms) not in written]
    if missing and found:
        return tuple(sorted([*missing, *found], key=lambda change: change.at_ms))
    return tuple(missing or found)


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


def _optional_ms(value: bytes | None) -> int | None:
    return int(value) if value else None


def _change(line: str) -> Change:
    status, at_ms, attempt, worker = line.split("|", 3)
    return Change(JobState(status), int(at_ms), int(attempt), worker)
