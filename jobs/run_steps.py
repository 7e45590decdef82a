"""Steps of runs: leased by run workers, saved and finished by who holds the lease.

A step is run by one owner at a time. Whoever lost the lease saves nothing: neither how far it has
come, nor what it put in the store, which nobody reads who is not told of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from .call import Call, call_script
from .keys import Keys
from .run_records import (
    RunError,
    RunExport,
    RunOutput,
    RunPlan,
    RunState,
    RunWish,
    Shard,
    ShardCounts,
    Step,
)
from .run_spec import RunSpec
from .runs import FAMILY, pairs, run_ticket
from .settings import JobsSettings

#: Characters that are told of what a step waits for.
_LONGEST_WAIT = 500


def take_step(worker: str, lease_s: float, settings: JobsSettings) -> Call[Step | None]:
    """Lease a step that nobody is at; None when there is none."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_take",
        settings,
        keys={"leases": keys.run_leases, "ready": keys.runs_ready, "queue": FAMILY},
        args={"worker": worker, "lease_ms": int(lease_s * 1000), "ticket": run_ticket()},
        parse=_step,
    )


def save_step(
    step: Step,
    lease_s: float,
    settings: JobsSettings,
    *,
    counts: ShardCounts | None = None,
    segment: str = "",
    waits_for: str | None = None,
) -> Call[RunWish | None]:
    """Renew a step's lease; with counts and the name of a segment that is in the store now.

    `waits_for` is what outside keeps it from going on, "" for nothing any more, None for no news.
    Answers what the run wants; None for one who no longer owns the step.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_save",
        settings,
        keys={"run": keys.run(step.run_id), "leases": keys.run_leases},
        args={
            "id": step.run_id,
            "step": step.name,
            "owner": step.owner,
            "lease_ms": int(lease_s * 1000),
            "counts": "" if counts is None else counts.model_dump_json(),
            "segment": segment,
            "waits": _told_wait(waits_for),
        },
        parse=lambda reply: None if reply is None else RunWish(reply.decode()),
    )


def release_step(
    step: Step,
    settings: JobsSettings,
    *,
    pause_s: float = 0.0,
    fault: bool = False,
    waits_for: str = "",
) -> Call[bool]:
    """Give a step back for another to take, after a pause.

    `fault` says that it broke by ours, `waits_for` what outside kept it from going on.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_release",
        settings,
        keys={"run": keys.run(step.run_id), "leases": keys.run_leases, "queue": FAMILY},
        args={
            "id": step.run_id,
            "step": step.name,
            "owner": step.owner,
            "pause_ms": int(pause_s * 1000),
            "fault": "1" if fault else "",
            "ticket": run_ticket(),
            "waits": waits_for[:_LONGEST_WAIT],
        },
        parse=bool,
    )


def finish_plan(
    step: Step, plan: RunPlan, shards: Sequence[Shard], settings: JobsSettings
) -> Call[bool]:
    """Let a run's shards be taken. False for one who no longer owns the step."""
    planned = [shard.planned for shard in shards]
    total = "" if None in planned else sum(rows or 0 for rows in planned)
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_planned",
        settings,
        keys={
            "run": keys.run(step.run_id),
            "shards": keys.run(step.run_id, "shards"),
            "queue": FAMILY,
        },
        args={
            "id": step.run_id,
            "owner": step.owner,
            "plan": plan.model_dump_json(),
            "rows_total": total,
            "ticket": run_ticket(),
            "records": [shard.model_dump_json() for shard in shards],
        },
        parse=bool,
    )


def finish_shard(
    step: Step,
    shard: Shard,
    settings: JobsSettings,
    *,
    segment: str,
    labels: dict[str, int],
    scores: Sequence[int],
    error_types: dict[str, int],
) -> Call[bool]:
    """Note that all of a shard is answered and in the store. False for one who lost it."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_answered",
        settings,
        keys={
            "run": keys.run(step.run_id),
            "shards": keys.run(step.run_id, "shards"),
            "queue": FAMILY,
        },
        args={
            "id": step.run_id,
            "number": shard.number,
            "owner": step.owner,
            "segment": segment,
            "more": shard.model_dump_json(exclude={"part", "state", "moved"}),
            "labels": to_json(labels),
            "scores": to_json(_bins(scores)),
            "errors": to_json(error_types),
            "ticket": run_ticket(),
        },
        parse=bool,
    )


def end_run(
    step: Step,
    state: RunState,
    settings: JobsSettings,
    *,
    error: RunError | None = None,
    output: RunOutput | None = None,
    notes: Sequence[str] = (),
    summary: dict[str, Any] | None = None,
) -> Call[bool]:
    """End a run: its output is there, or it cannot go on. False for one who lost the step.

    `summary` is annotate's own: its counts stand for the shards', which know no format.
    """
    counts = None
    if summary is not None:
        counts = {
            "rows": summary["rows"],
            "failed": summary["failed"],
            "labels": summary["labels"],
            "scores": _bins(summary["score_histogram"]),
            "errors": summary["error_types"],
        }
    return call_script(
        "run_end",
        settings,
        keys={"run": Keys(settings.key_prefix).run(step.run_id)},
        args={
            "id": step.run_id,
            "step": step.name,
            "owner": step.owner,
            "state": state.value,
            "error": error.model_dump_json() if error else "",
            "output": output.model_dump_json() if output else "",
            "notes": to_json(list(notes)),
            "summary": to_json(summary) if summary is not None else "",
            "counts": to_json(counts) if counts else "",
        },
        parse=bool,
    )


def finish_export(step: Step, made: RunExport, settings: JobsSettings) -> Call[bool]:
    """Note what came of an export. False for one who lost the step."""
    return call_script(
        "run_exported",
        settings,
        args={
            "id": step.run_id,
            "format": step.name.partition("/")[2],
            "owner": step.owner,
            "made": made.model_dump_json(),
        },
        parse=bool,
    )


def segments_of(run_id: str, settings: JobsSettings) -> Call[dict[int, list[str]]]:
    """Names of the segments that the store has of a run's shards, by number, in their order."""
    key = Keys(settings.key_prefix).run(run_id, "segments")
    return Call(
        [("HGETALL", key)],
        parse=lambda reply: {int(n): names.decode().split() for n, names in pairs(reply)},
    )


def look(settings: JobsSettings) -> Call[int]:
    """A keeper's look: deadlines, and tickets that were lost. How many runs and steps wait."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_look",
        settings,
        keys={
            "ready": keys.runs_ready,
            "leases": keys.run_leases,
            "queue": FAMILY,
            "deadlines": keys.run_deadlines,
        },
        args={"ticket": run_ticket()},
        parse=int,
    )


def removing(settings: JobsSettings) -> Call[list[tuple[str, int]]]:
    """Forgotten runs whose blobs are to go, and when each was forgotten, in ms."""
    key = Keys(settings.key_prefix).runs_removing
    return Call(
        [("ZRANGE", key, 0, 99, "WITHSCORES")],
        parse=lambda reply: [(run.decode(), int(float(at))) for run, at in pairs(reply)],
    )


def removed(run_id: str, settings: JobsSettings) -> Call[None]:
    """Note that a forgotten run's blobs are gone."""
    key = Keys(settings.key_prefix).runs_removing
    return Call([("ZREM", key, run_id)], parse=lambda _: None)


def _step(reply: list[bytes] | None) -> Step | None:
    if reply is None:
        return None
    run_id, name, owner, spec, plan, token, record, segments, trace = reply
    return Step(
        run_id=run_id.decode(),
        name=name.decode(),
        owner=owner.decode(),
        spec=RunSpec.model_validate_json(spec),
        plan=RunPlan.model_validate_json(plan) if plan else None,
        token=token.decode(),
        shard=Shard.model_validate_json(record) if record else None,
        segments=segments.decode().split(),
        trace=trace.decode("latin-1"),
    )


def _told_wait(reason: str | None) -> str:
    if reason is None:
        return ""
    return f"1{reason[:_LONGEST_WAIT]}" if reason else "0"


def _bins(scores: Sequence[int]) -> dict[str, int]:
    return {str(at): n for at, n in enumerate(scores) if n}
