from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .call import Call, script
from .group import Group
from .keys import Keys
from .record import BatchStats, ClaimedJob, Outcome
from .settings import JobsSettings
from .ticket import ticket


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
    return Call(
        script("finish"),
        keys=[
            keys.running(worker),
            keys.totals,
            keys.group(group.id),
            keys.stats(group.model, group.version),
            keys.pace(group.family),
            keys.deadlines,
        ],
        args=[
            settings.key_prefix,
            worker,
            settings.result_ttl_s,
            stats.rows,
            stats.max_rows,
            stats.executions,
            stats.waited_us,
            stats.compute_us,
            stats.total_us,
            stats.charged_us,
            group.model_id,
            group.family,
            group.flow,
            stats.output_us,
            " ".join(f"{size} {count}" for size, count in Counter(stats.sizes).items()),
            *(value for outcome in outcomes for value in _arguments(outcome)),
        ],
        parse=lambda reply: Finished(*(frozenset(map(bytes.decode, ids)) for ids in reply)),
    )


def _arguments(outcome: Outcome) -> tuple[str | bytes | int, ...]:
    return (
        outcome.id,
        outcome.attempt,
        outcome.status.value,
        outcome.result,
        outcome.result_ref,
        outcome.header_length,
        outcome.error_type,
        outcome.error,
    )


def release(
    group: Group,
    worker: str,
    jobs: Sequence[ClaimedJob],
    settings: JobsSettings,
    *,
    charged_us: int = 0,
) -> Call[int]:
    """Give back claimed jobs that were never begun; their attempt does not count.

    `charged_us` is what their claim charged their flow: that is given back, too.
    """
    keys, args = _giving(group, worker, jobs, settings, charged_us=charged_us)
    return Call(script("release"), keys=keys, args=args, parse=lambda reply: int(reply[0]))


def give_up_missed(
    group: Group, worker: str, jobs: Sequence[ClaimedJob], most: int, settings: JobsSettings
) -> Call[frozenset[str]]:
    """Give back claimed jobs whose payloads this worker does not find: another may.

    Answers the ids of those that were missed `most` times, this one included: they stay with the
    worker, which ends them.
    """
    keys, args = _giving(group, worker, jobs, settings, most_missed=most)
    return Call(
        script("release"),
        keys=keys,
        args=args,
        parse=lambda reply: frozenset(item.decode() for item in reply[1:]),
    )


def _giving(
    group: Group,
    worker: str,
    jobs: Sequence[ClaimedJob],
    settings: JobsSettings,
    *,
    charged_us: int = 0,
    most_missed: int | str = "",
) -> tuple[list[str], list[str | int]]:
    """The script's keys and arguments."""
    keys = Keys(settings.key_prefix)
    return (
        [keys.running(worker), keys.group(group.id), keys.totals, group.queue_key],
        [
            settings.key_prefix,
            worker,
            group.id,
            ticket(group.family, group.id, group.queue_key),
            charged_us,
            most_missed,
            *(value for job in jobs for value in (job.id, job.attempt)),
        ],
    )
