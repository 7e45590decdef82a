"""What mends the queue: take back dead workers' jobs, replace lost tickets, expire, replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..protocol import errors
from .call import Call, call_script
from .group import Group
from .keys import Keys
from .reach import of_job, of_known_job
from .settings import JobsSettings
from .ticket import ticket


class LostAttempt(NamedTuple):
    """An attempt that nobody will end: its worker died."""

    id: str
    attempt: int
    group: Group
    started_at_ms: int
    #: As `NewJob` has it.
    trace: str


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of a dead worker's jobs."""

    requeued: int
    dead: int
    groups: tuple[Group, ...]
    #: The attempts of those that are traced, where the caller traces.
    lost: tuple[LostAttempt, ...] = ()


def reap(
    worker: str, settings: JobsSettings, *, gone: bool = False, traced: bool = False
) -> Call[Reaped]:
    """Take back what a worker ran, if its lease has run out or its process is known to be gone."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "reap",
        settings,
        keys={
            "alive": keys.alive(worker),
            "running": keys.running(worker),
            "workers": keys.workers,
            "totals": keys.totals,
            "dead": keys.dead,
            "deadlines": keys.deadlines,
            "alone": keys.alone(worker),
        },
        args={
            "worker": worker,
            "max_attempts": settings.max_attempts,
            "result_ttl_s": settings.result_ttl_s,
            "gone": "1" if gone else "0",
            "traced": "1" if traced else "0",
        },
        parse=_reaped,
    )


def _reaped(reply: list[Any]) -> Reaped:
    requeued, dead, told, *groups = reply
    columns = [told[column::5] for column in range(5)]
    lost = tuple(
        LostAttempt(
            job_id.decode(),
            int(attempt),
            Group.parse(group.decode()),
            int(started),
            trace.decode("latin-1"),
        )
        for job_id, attempt, group, started, trace in zip(*columns, strict=True)
    )
    return Reaped(int(requeued), int(dead), _groups(groups), lost)


def note_alone(worker: str, job_id: str, settings: JobsSettings) -> Call[None]:
    """Note which job a worker runs with nothing beside it: a crash is its fault. "" for none."""
    key = Keys(settings.key_prefix).alone(worker)
    noted = ("SET", key, job_id, "EX", settings.result_ttl_s) if job_id else ("DEL", key)
    return Call([noted], parse=lambda _: None)


def sweep(settings: JobsSettings) -> Call[tuple[Group, ...]]:
    """End what is past its deadline; answer groups that need another ticket, a page a call."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "sweep",
        settings,
        keys={
            "deadlines": keys.deadlines,
            "groups": keys.groups,
            "failed": keys.webhooks_failed,
            "totals": keys.totals,
            "kept": keys.kept,
        },
        args={"result_ttl_s": settings.result_ttl_s},
        parse=_groups,
    )


def reissue(groups: Sequence[Group], settings: JobsSettings, *, at_once: bool = False) -> Call[int]:
    """Push a ticket for each group that has waited longer than its patience; answer how many.

    Patience is max(2 s, 4 x the group's last batch) since its last claim or ticket; `at_once` has
    none. Four tickets of a group may queue up.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "reissue",
        settings,
        keys={
            "groups": [
                {"group": keys.group(group.id), "queue": group.queue_key} for group in groups
            ]
        },
        args={
            "at_once": "1" if at_once else "0",
            "tickets": [ticket(group.family, group.id, group.queue_key) for group in groups],
        },
        parse=int,
    )


def requeue(job_id: str, group: Group, settings: JobsSettings) -> Call[bool]:
    """Replay a dead letter; answers True.

    Raises JobNotFound, or Conflict when the job is no dead letter.
    """
    keys = Keys(settings.key_prefix)

    def read(reply: bytes | None) -> bool:
        if reply is None:
            raise errors.JobNotFound(f"no job {job_id!r}")
        if reply != b"requeued":
            raise errors.Conflict(f"job {job_id!r} is no dead letter")
        return True

    return call_script(
        "requeue",
        settings,
        keys={"job": keys.job(job_id), "dead": keys.dead},
        args={
            "id": job_id,
            "queue": group.queue_key,
            "ticket": ticket(group.family, group.id, group.queue_key),
        },
        parse=read,
        reach=of_job(job_id),
    )


def cancel(job_id: str, settings: JobsSettings) -> Call[str]:
    """Cancel a job: at once while it waits, at its end while it runs, not at all afterwards.

    Answers the state that it was in. Raises JobNotFound.
    """
    keys = Keys(settings.key_prefix)

    def read(reply: bytes | None) -> str:
        if reply is None:
            raise errors.JobNotFound(f"no job {job_id!r}")
        return reply.decode()

    return call_script(
        "cancel",
        settings,
        keys={"job": keys.job(job_id), "totals": keys.totals, "deadlines": keys.deadlines},
        args={"id": job_id, "result_ttl_s": settings.result_ttl_s},
        parse=read,
        reach=of_job(job_id),
    )


def keep(job_id: str, settings: JobsSettings) -> Call[None]:
    """Let a job's answer stay as long as any: nobody waits any more, and it is to be polled."""
    return call_script(
        "keep",
        settings,
        keys={"job": Keys(settings.key_prefix).job(job_id)},
        args={"result_ttl_s": settings.result_ttl_s},
        parse=lambda _: None,
        reach=of_known_job(job_id),
    )


def _groups(reply: list[Any]) -> tuple[Group, ...]:
    return tuple(Group.parse(item.decode()) for item in reply)
