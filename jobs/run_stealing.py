"""Shards that one run worker leaves to another: what is slow somewhere must not hold a run.

How fast a shard comes on is measured where it is saved (`lua/run_pace_prelude.lua`). Who takes one
over goes on from its segments, as after a kill.
"""

from __future__ import annotations

from typing import Any

from .call import Call, call_script
from .keys import Keys
from .run_records import Step
from .runs import FAMILY, run_ticket
from .settings import JobsSettings


def yield_step(step: Step, settings: JobsSettings) -> Call[bool]:
    """Leave a step to others than its owner. False for one who lost it."""
    return call_script(
        "run_yield",
        settings,
        keys={"queue": FAMILY},
        args={
            "id": step.run_id,
            "step": step.name,
            "owner": step.owner,
            "ticket": run_ticket(),
        },
        parse=bool,
    )


def steal_shard(
    worker: str, least_s: float, patience_s: float, settings: JobsSettings
) -> Call[tuple[str, str, str] | None]:
    """Have the shard that is furthest behind left to a worker that is free, or to another like it.

    Its owner is asked, and has it taken away after `patience_s` without a sign. Answers the run,
    the step and what was done, `asked` or `taken`; None while a step waits, or none is so late that
    `least_s` would be gained.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_steal",
        settings,
        keys={"leases": keys.run_leases, "ready": keys.runs_ready, "queue": FAMILY},
        args={
            "worker": worker,
            "least_ms": int(least_s * 1000),
            "patience_ms": int(patience_s * 1000),
            "ticket": run_ticket(),
        },
        parse=_stolen,
    )


def _stolen(reply: Any) -> tuple[str, str, str] | None:
    if reply is None:
        return None
    run_id, step, done = (each.decode() for each in reply)
    return run_id, step, done
