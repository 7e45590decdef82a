"""Runs that follow their source: looks at it are a step that is leased like any other.

What a look found is told by one call: shards of what is new, and where the looks stand. Whoever
lost the step tells nothing: the next look finds the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .call import Call, call_script
from .follow_records import RunFollow
from .keys import Keys
from .run_records import RunPlan, RunState, Shard, Step
from .runs import FAMILY, run_ticket
from .settings import JobsSettings


class LookEnd(StrEnum):
    """What comes after some of a look was told."""

    #: The look goes on.
    MORE = "more"
    #: Another one follows.
    NEXT = "next"
    #: No other does: the run is finished once all is answered.
    LAST = "last"


def begin_following(
    step: Step, plan: RunPlan, follow: RunFollow, settings: JobsSettings
) -> Call[bool]:
    """Let looks begin at a source. False for one who no longer owns the run's plan."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_follow",
        settings,
        keys={"run": keys.run(step.run_id), "queue": FAMILY},
        args={
            "id": step.run_id,
            "owner": step.owner,
            "plan": plan.model_dump_json(),
            "follow": follow.model_dump_json(),
            "ticket": run_ticket(),
        },
        parse=bool,
    )


def tell_look(
    step: Step,
    follow: RunFollow,
    shards: Sequence[Shard],
    settings: JobsSettings,
    *,
    end: LookEnd,
    wait_s: float,
    is_news: bool,
) -> Call[bool]:
    """Tell what a look found so far. False for one who no longer owns the step.

    `wait_s` is how long the lease of a look that goes on holds, or until the next one is due.
    Watchers are told where it is news to them.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_followed",
        settings,
        keys={
            "run": keys.run(step.run_id),
            "shards": keys.run(step.run_id, "shards"),
            "queue": FAMILY,
            "leases": keys.run_leases,
        },
        args={
            "id": step.run_id,
            "owner": step.owner,
            "follow": follow.model_dump_json(),
            "rows": sum(shard.planned or 0 for shard in shards),
            "end": end.value,
            "wait_ms": int(wait_s * 1000),
            "is_new": "1" if is_news or shards else "",
            "ticket": run_ticket(),
            "records": [shard.model_dump_json() for shard in shards],
        },
        parse=bool,
    )


def tell_fold(
    step: Step, shard: Shard, segment: str, numbers: Sequence[int], settings: JobsSettings
) -> Call[bool]:
    """Have one shard stand for some that are done. False for one who no longer owns the look.

    `segment` has their answers; `numbers` are theirs, the first of which is the one's.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_folded",
        settings,
        keys={
            "shards": keys.run(step.run_id, "shards"),
            "segments": keys.run(step.run_id, "segments"),
            "attempts": keys.run(step.run_id, "attempts"),
        },
        args={
            "id": step.run_id,
            "owner": step.owner,
            "record": shard.model_dump_json(exclude={"moved"}),
            "segment": segment,
            "number": shard.number,
            "numbers": numbers,
        },
        parse=bool,
    )


def finish_run(run_id: str, settings: JobsSettings) -> Call[RunState | None]:
    """Let a run take no more after one last look at its source. Answers the state it then has.

    One that follows nothing any more stays as it is; None for an unknown id.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_finish",
        settings,
        keys={"run": keys.run(run_id), "leases": keys.run_leases, "queue": FAMILY},
        args={"id": run_id, "ticket": run_ticket()},
        parse=lambda reply: None if reply is None else RunState(reply.decode()),
    )
