from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .record import BatchStats, ClaimedJob, Outcome
from .script import Value
from .settings import JobsSettings
from .ticket import ticket

T = TypeVar("T")


class Finished(NamedTuple):
    """Ids of the jobs whose attempts were ended."""

    accepted: frozenset[str]
    #: Those of them that had been canceled while they ran: their answers are dropped.
    canceled: frozenset[str]


def finish(
    worker: str, outcomes: Sequence[Outcome], stats: BatchStats, settings: JobsSettings
) -> Call[Finished]:
    """End a batch's attempts.

    An attempt whose lease has passed to another worker is counted as late and dropped.
    """
    keys = Keys(settings.key_prefix)
    group = stats.group
    return call_script(
        "finish",
        settings,
        keys={
            "running": keys.running(worker),
            "totals": keys.totals,
            "stats": keys.stats(group.model, group.version),
            "pace": keys.pace(group.family),
            "deadlines": keys.deadlines,
            "kept": keys.kept,
        },
        args={
            "worker": worker,
            "result_ttl_s": settings.result_ttl_s,
            "rows": stats.rows,
            "max_rows": stats.max_rows,
            "executions": stats.executions,
            "waited_us": stats.waited_us,
            "compute_us": stats.compute_us,
            "total_us": stats.total_us,
            "charges": "\n".join(f"{each.id} {us}" for each, us in stats.charges.items()),
            "model_id": group.model_id,
            "output_us": stats.output_us,
            "sizes": " ".join(f"{size} {count}" for size, count in Counter(stats.sizes).items()),
            "kept_bytes": settings.kept_requests_bytes,
            "kept_s": settings.kept_requests_s,
            "jobs": _columns(outcomes),
        },
        parse=lambda reply: Finished(*(frozenset(map(bytes.decode, ids)) for ids in reply)),
    )


def _columns(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Value]]:
    ends = list(map(_end, outcomes))
    return {
        "id": [each.id for each in outcomes],
        "attempt": [each.attempt for each in outcomes],
        "end": [end for end, _, _ in ends],
        "said": [said for _, said, _ in ends],
        "about": [about for _, _, about in ends],
    }


def _end(outcome: Outcome) -> tuple[str, str | bytes, str | int]:
    """How an attempt ended, as finish.lua has it: each argument costs as much as its bytes do."""
    if outcome.error_type:
        return "failed", outcome.error, outcome.error_type
    if outcome.result_ref:
        return "stored", outcome.result_ref, outcome.header_length
    return "succeeded", outcome.result, outcome.header_length


def release(
    group: Group,
    worker: str,
    jobs: Sequence[ClaimedJob],
    settings: JobsSettings,
    *,
    charged_us: int = 0,
) -> Call[int]:
    """Give back claimed jobs that were never begun; their attempt does not count. One that was
    canceled meanwhile ends.

    `charged_us` is what their claim charged their flow: that is given back, too.
    """
    return _give_back(
        group, worker, jobs, settings, charged_us=charged_us, parse=lambda reply: int(reply[0])
    )


def give_up_missed(
    group: Group, worker: str, jobs: Sequence[ClaimedJob], most: int, settings: JobsSettings
) -> Call[frozenset[str]]:
    """Give back claimed jobs whose payloads this worker does not find: another may.

    Answers the ids of those that were missed `most` times, this one included: they stay with the
    worker, which ends them.
    """
    return _give_back(
        group,
        worker,
        jobs,
        settings,
        most_missed=most,
        parse=lambda reply: frozenset(item.decode() for item in reply[1:]),
    )


def _give_back(
    group: Group,
    worker: str,
    jobs: Sequence[ClaimedJob],
    settings: JobsSettings,
    *,
    parse: Callable[[list[Any]], T],
    charged_us: int = 0,
    most_missed: int | str = "",
) -> Call[T]:
    keys = Keys(settings.key_prefix)
    return call_script(
        "release",
        settings,
        keys={
            "running": keys.running(worker),
            "group": keys.group(group.id),
            "totals": keys.totals,
            "queue": group.queue_key,
        },
        args={
            "worker": worker,
            "group_id": group.id,
            "ticket": ticket(group.family, group.id, group.queue_key),
            "charged_us": charged_us,
            "most_missed": most_missed,
            "result_ttl_s": settings.result_ttl_s,
            "jobs": [{"id": job.id, "attempt": job.attempt} for job in jobs],
        },
        parse=parse,
    )
