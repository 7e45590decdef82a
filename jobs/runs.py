"""Runs in Redis: `wherry annotate` as a resource of the fleet; what the API asks and tells of it.

A run is done in steps: its plan, its shards, then the merge; an export of it may follow.
`run_steps.py` is what run workers do about them, `run_spec.py` what was asked, `run_records.py`
what is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from ..protocol.errors import Conflict, NotFound
from ..tasks.annotations.stretches import SCORE_BINS
from .call import Call, call_script
from .files import page
from .follow_records import RunFollow
from .group import BULK_PRIORITY, Group
from .keys import Keys
from .run_records import (
    Run,
    RunError,
    RunExport,
    RunOutput,
    RunPlan,
    RunProgress,
    RunState,
    Shard,
    StepWait,
)
from .run_spec import RunSpec
from .settings import JobsSettings
from .ticket import RUN_TASK, ticket

#: The Celery queue of run workers: their family.
FAMILY = "runs"

#: Labels of a run that are told, the most frequent first.
MOST_LABELS = 200


def create_run(
    spec: RunSpec,
    settings: JobsSettings,
    *,
    token: str = "",
    key_id: str = "",
    key_text: str = "",
    trace: str = "",
) -> Call[bool]:
    """Write a run down and have it begun. False for a known one, which stays as it is.

    Where the server asks for API keys, `token` is one made for this run, `key_id` and `key_text`
    its record: both go when the run ends. `trace` is where it stands in one.

    Raises Conflict for another run of that id, while what the store has of a forgotten one is being
    removed, and while another writes to its `out`.
    """
    keys = Keys(settings.key_prefix)
    group = Group(FAMILY, spec.model, spec.version, spec.tenant, BULK_PRIORITY)
    max_ms = spec.max_device_seconds

    run = f"run {spec.id!r}"
    refusals = {
        -1: f"{run} is there, and asks for something else",
        -2: f"{run} was forgotten, and run workers still remove what it left: take another id, or "
        "this one in a minute",
        -3: f"out: a run that has not ended writes to {spec.out!r}: name another, or wait",
    }
    return call_script(
        "run_create",
        settings,
        keys={
            "run": keys.run(spec.id),
            "api_keys": keys.api_keys,
            "queue": FAMILY,
            "removing": keys.runs_removing,
            "outs": keys.run_outs,
            "indexes": _indexes(spec.tenant, keys),
        },
        args={
            "id": spec.id,
            "spec": spec.model_dump_json(),
            "fingerprint": spec.fingerprint,
            "webhook": spec.webhook,
            "group": group.id,
            "kept_ms": spec.kept_s * 1000,
            "max_errors": "" if spec.max_errors is None else spec.max_errors,
            "max_device_ms": "" if max_ms is None else max_ms * 1000,
            "deadline_ms": "" if spec.deadline_s is None else int(spec.deadline_s * 1000),
            "sampling": "1" if spec.sample else "0",
            "token": token,
            "key_id": key_id,
            "key": key_text,
            "out": spec.out,
            "ticket": run_ticket(),
            "trace": trace,
        },
        parse=lambda reply: accepted(reply, refusals),
    )


def get_runs(run_ids: Sequence[str], settings: JobsSettings) -> Call[list[Run | None]]:
    """Runs as they stand; None for an unknown id."""
    return call_script(
        "run_read",
        settings,
        args={"ids": run_ids},
        parse=lambda reply: [_run(found) for found in reply],
    )


def get_run(run_id: str, settings: JobsSettings) -> Call[Run | None]:
    """A run as it stands; None for an unknown id."""
    return call_script(
        "run_read",
        settings,
        args={"ids": [run_id]},
        parse=lambda reply: _run(reply[0]),
    )


def known_run(run_id: str, settings: JobsSettings) -> Call[bool]:
    """Whether there is such a run: what the store has of it stays as long."""
    return Call([("EXISTS", Keys(settings.key_prefix).run(run_id))], parse=bool)


def run_page(
    after: str, limit: int, settings: JobsSettings, *, tenant: str = ""
) -> Call[list[str] | None]:
    """Ids of runs, newest first, of one tenant's or of all; None when none is `after`."""
    index = Keys(settings.key_prefix).runs(tenant)
    return page(index, after, limit, settings, newest_first=True)


def command_run(run_id: str, command: str, settings: JobsSettings) -> Call[RunState | None]:
    """Let a run `pause`, `resume` or `cancel`. Answers the state that it then has.

    One that has ended stays as it is; None for an unknown id.
    """
    return call_script(
        "run_command",
        settings,
        keys={"run": Keys(settings.key_prefix).run(run_id), "queue": FAMILY},
        args={"id": run_id, "command": command, "ticket": run_ticket()},
        parse=lambda reply: None if reply is None else RunState(reply.decode()),
    )


def forget_run(spec: RunSpec, settings: JobsSettings, *, expired_only: bool = False) -> Call[bool]:
    """Take an ended run out of the books, once; a run worker removes what the store has of it.

    Raises Conflict for one that has not ended.
    """
    keys = Keys(settings.key_prefix)
    refusals = {-1: f"run {spec.id!r} has not ended: cancel it, or wait for its end"}
    return call_script(
        "run_forget",
        settings,
        keys={
            "run": keys.run(spec.id),
            "expiring": keys.expiring("run"),
            "removing": keys.runs_removing,
            "indexes": _indexes(spec.tenant, keys),
        },
        args={"id": spec.id, "expired_only": "1" if expired_only else ""},
        parse=lambda reply: accepted(reply, refusals),
    )


def shards_of(run_id: str, settings: JobsSettings) -> Call[list[Shard]]:
    """A run's shards, in the order of their rows; none before it is planned."""
    key = Keys(settings.key_prefix).run(run_id, "shards")
    return Call([("HGETALL", key)], parse=_shards)


def owners_of(run_id: str, settings: JobsSettings) -> Call[dict[str, str]]:
    """Who is at a run's steps: step -> owner."""
    key = Keys(settings.key_prefix).run(run_id, "owners")
    return Call(
        [("HGETALL", key)],
        parse=lambda reply: {step.decode(): owner.decode() for step, owner in pairs(reply)},
    )


def ask_export(
    run_id: str,
    format_name: str,
    settings: JobsSettings,
    *,
    token: str = "",
    key_id: str = "",
    key_text: str = "",
) -> Call[RunExport]:
    """Have a finished run's answers written in another format; what is known of that.

    A key is as for `create_run`, and goes with the run's last export. Raises NotFound for a run
    without answers to write.
    """
    keys = Keys(settings.key_prefix)

    def parse(reply: bytes | None) -> RunExport:
        if reply is None:
            raise NotFound(f"run {run_id!r} has no output yet")
        return RunExport.model_validate_json(reply)

    return call_script(
        "run_export",
        settings,
        keys={
            "run": keys.run(run_id),
            "exports": keys.run(run_id, "exports"),
            "queue": FAMILY,
            "api_keys": keys.api_keys,
        },
        args={
            "id": run_id,
            "format": format_name,
            "token": token,
            "key_id": key_id,
            "key": key_text,
            "ticket": run_ticket(),
        },
        parse=parse,
    )


def forget_export(run_id: str, format_name: str, settings: JobsSettings) -> Call[None]:
    """Know no more of an export that failed: whoever asks for it again has it tried again."""
    key = Keys(settings.key_prefix).run(run_id, "exports")
    return Call([("HDEL", key, format_name)], parse=lambda _: None)


def accepted(reply: int, refusals: Mapping[int, str]) -> bool:
    """Whether a run is what it was asked to be, by 1 and 0. Raises Conflict for a refusal."""
    if reply < 0:
        raise Conflict(refusals[reply])
    return reply == 1


def _indexes(tenant: str, keys: Keys) -> list[str]:
    return [keys.runs(), keys.runs(tenant)]


def run_ticket() -> str:
    """A message that has some run worker look for a step."""
    return ticket(FAMILY, "-", FAMILY, task=RUN_TASK)


def _shards(reply: Any) -> list[Shard]:
    found = [Shard.model_validate_json(record) for _, record in pairs(reply)]
    ordered, first = sorted(found, key=lambda shard: shard.number), 0
    for shard in ordered:
        shard.moved = first - shard.first
        planned = shard.part.get("units", 0) if shard.planned is None else shard.planned
        first += shard.rows if shard.state == "done" else planned
    return ordered


def _run(reply: list[Any] | None) -> Run | None:
    if reply is None:
        return None
    fields, labels, scores, error_types, exports, owned, waits = reply
    spec, state, error, plan, total, done_shards, rows_total, *more = fields
    *counts, output, notes, summary, follow, following, finishing = more
    counted = {name: float(value or 0) for name, value in zip(_COUNTED, counts, strict=False)}
    rate, _, started, ended, expires = counts[len(_COUNTED) :]
    found = sorted(_counts(labels).items(), key=lambda each: (-each[1], each[0]))
    bins = _counts(scores)
    device_ms = counted.pop("device_ms")
    return Run(
        spec=RunSpec.model_validate_json(spec),
        state=RunState(state.decode()),
        plan=RunPlan.model_validate_json(plan) if plan else None,
        progress=RunProgress(
            **{name: round(value) for name, value in counted.items()},
            rows_total=int(rows_total) if rows_total else None,
            device_seconds=round(device_ms / 1000, 3),
            labels=dict(found[:MOST_LABELS]),
            scores=[bins.get(str(at), 0) for at in range(SCORE_BINS)],
            error_types=_counts(error_types),
            rows_per_s=float(rate or 0),
            shards_total=int(total or 0),
            shards_done=int(done_shards or 0),
            shards_running=sum(step.startswith(b"shard/") for step in owned),
            started_at_ms=int(started) if started else None,
            ended_at_ms=int(ended) if ended else None,
            expires_at_ms=int(expires) if expires else None,
            error=RunError.model_validate_json(error) if error else None,
            output=RunOutput.model_validate_json(output) if output else None,
            exports={f.decode(): RunExport.model_validate_json(e) for f, e in pairs(exports)},
            waits=_waits(waits),
            notes=from_json(notes) if notes else [],
            summary=from_json(summary) if summary else None,
            follow=RunFollow.model_validate_json(follow) if follow else None,
            following=following == b"1",
            finishing=finishing == b"1",
        ),
    )


_COUNTED = ("read", "done", "failed", "reused", "duplicates", "in_flight", "device_ms", "warned")


def _waits(reply: Any) -> list[StepWait]:
    found = [StepWait(step=step.decode(), **from_json(told)) for step, told in pairs(reply)]
    return sorted(found, key=lambda wait: wait.since)


def _counts(reply: Any) -> dict[str, int]:
    return {name.decode(): int(n) for name, n in pairs(reply)}


def pairs(reply: Any) -> list[tuple[bytes, bytes]]:
    """Names and values of a hash, or members and scores."""
    # Read by name, by pairs, or as Redis sends them: pipelines of all kinds come here.
    if isinstance(reply, dict):
        return list(reply.items())
    if reply and isinstance(reply[0], list | tuple):
        return [(name, value) for name, value in reply]
    return list(zip(reply[::2], reply[1::2], strict=True))
