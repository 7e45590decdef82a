"""Runs as clients read them."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote, urlsplit

from ...jobs.owned import NOBODY
from ...jobs.run_records import Run, RunOutput, RunState, Shard
from ...tasks.annotations.fits import lists_guesses
from ...tasks.registry import get_task
from ..http.ids import shown_id
from .following import following_view, left_out
from .views import timestamp

#: States in which rows are being answered.
_GOES_ON = frozenset({RunState.PLANNING, RunState.RUNNING, RunState.MERGING})


#: What of a run's name is not part of a file's, and how many bytes are: file systems take 255, of
#: which ends such as `.jsonl.report.html` need some.
_ODD, _STEM_BYTES = re.compile(r"[^\w.-]+"), 180

#: What a document tells as it was asked; a clone is like it unless it says otherwise.
_AS_ASKED = (
    *("source", "query", "order_by", "out", "parameters", "inputs", "priority", "every", "frames"),
    *("split", "images", "media_prefix", "overwrite", "shard_rows", "max_errors"),
    *("max_device_seconds", "deadline_s", "reuse", "sample", "near_duplicates"),
)


def run_path(run_id: str) -> str:
    """Where a run is, as the caller asks for it."""
    return f"/v2/runs/{quote(shown_id(run_id), safe='')}"


def file_stem(run: Run) -> str:
    """How names of files begin that are made of a run: by its own, as any file system takes it."""
    plain = _ODD.sub("-", run.spec.name).encode()[:_STEM_BYTES].decode(errors="ignore")
    return plain.strip("-.") or shown_id(run.spec.id)


def run_view(run: Run) -> dict[str, Any]:
    """A run as it stands."""
    spec, at = run.spec, run.progress
    answered = at.done + at.reused + at.duplicates
    return {
        "id": shown_id(spec.id),
        "name": spec.name,
        "state": run.state.value,
        "error": at.error.model_dump() if at.error else None,
        "model": spec.model,
        "version": run.plan.version if run.plan else spec.version,
        "task": run.plan.task if run.plan else spec.task,
        "format": run.plan.format if run.plan else spec.format,
        **{name: getattr(spec, name) for name in _AS_ASKED},
        "columns": spec.columns.model_dump(),
        "kept_s": spec.kept_s or None,
        # Its host alone: people put secrets into the rest.
        "webhook_host": urlsplit(spec.webhook).hostname,
        "tenant": None if spec.tenant == NOBODY else spec.tenant,
        "created_at": timestamp(spec.created_at_ms),
        "started_at": timestamp(at.started_at_ms),
        "ended_at": timestamp(at.ended_at_ms),
        "expires_at": timestamp(at.expires_at_ms),
        "rows": {
            "total": at.rows_total,
            "read": at.read,
            "answered": answered,
            "failed": at.failed,
            "reused": at.reused + at.duplicates,
            "in_flight": at.in_flight,
        },
        "rows_per_s": _rows_per_s(run, answered + at.failed),
        "estimated_end_at": timestamp(_estimated_end_ms(run, answered + at.failed)),
        "device_seconds": at.device_seconds,
        "shards": {
            "total": at.shards_total,
            "done": at.shards_done,
            "running": at.shards_running,
        },
        "labels": at.labels,
        "scores": at.scores,
        # Whether labels and scores are those of each row's first: the others are what it is not.
        "first_labels": _has_guesses(run),
        "error_types": at.error_types,
        "warned": at.warned,
        "left_out": left_out(run),
        "notes": at.notes,
        "waiting_for": _waiting_for(run),
        "output": _output_view(at.output),
        "exports": {name: export.state for name, export in at.exports.items()},
        "held": run.state is RunState.HELD,
        "follow": following_view(run),
        "looked_at": timestamp(at.follow.looked_at_ms if at.follow else None),
        "compare": shown_id(spec.compare) if spec.compare else None,
        "metadata": spec.metadata or {},
        "cloned_from": shown_id(spec.cloned_from) if spec.cloned_from else None,
        "links": _links(spec.id, follows=spec.follow),
    }


def _has_guesses(run: Run) -> bool:
    name = run.plan.task if run.plan else run.spec.task
    try:
        return bool(name) and lists_guesses(get_task(name).output)
    except ValueError:  # a task of a package that is not here any more
        return False


def _rows_per_s(run: Run, done: int) -> float:
    """Of late; of an ended run, over all of it."""
    at = run.progress
    if at.ended_at_ms is None:
        return at.rows_per_s
    took_ms = at.ended_at_ms - (at.started_at_ms or at.ended_at_ms)
    return round(done * 1000 / took_ms, 3) if took_ms > 0 else 0.0


def _estimated_end_ms(run: Run, done: int) -> int | None:
    """By the recent pace; None where nothing goes on, or nobody knows how many rows there are."""
    total, rate = run.progress.rows_total, run.progress.rows_per_s
    awaits_more = run.progress.following and not run.progress.finishing
    if run.state not in _GOES_ON or awaits_more or total is None or rate <= 0:
        return None
    return int((time.time() + max(0, total - done) / rate) * 1000)


def _waiting_for(run: Run) -> dict[str, Any] | None:
    """What has kept a step from going on for longest; None where nothing does."""
    if run.state not in _GOES_ON | {RunState.QUEUED} and not run.state.terminal:
        return None  # it waits for a word
    for wait in run.progress.waits[:1]:
        return {"step": wait.step, "reason": wait.reason, "since": timestamp(int(wait.since))}
    return None


def _output_view(output: RunOutput | None) -> dict[str, Any] | None:
    if output is None:
        return None
    return {
        "files": [file.model_dump() for file in output.listed],
        "files_total": output.files,
        "bytes": output.bytes,
        "place": output.place or None,
    }


def _links(run_id: str, *, follows: bool) -> dict[str, str]:
    path = run_path(run_id)
    names: tuple[str, ...] = (
        *("events", "rows", "shards", "quality", "report", "pick", "compare", "output"),
        *("pause", "resume", "cancel", "retry", "clone"),
    )
    names += ("finish",) if follows else ()
    return {"self": path} | {name: f"{path}/{name}" for name in names}


def shard_view(shard: Shard, worker: str) -> dict[str, Any]:
    """One of a run's shards, and who is at it; "" for nobody."""
    is_done = shard.state == "done"
    return {
        "number": shard.number,
        "state": shard.state if is_done or not worker else "running",
        "first": shard.first,
        "rows": shard.rows if is_done else shard.planned,
        "done": shard.done + shard.reused + shard.duplicates,
        "failed": shard.failed,
        "reused": shard.reused + shard.duplicates,
        "in_flight": shard.in_flight,
        "device_seconds": round(shard.device_ms / 1000, 3),
        "worker": worker or None,
        "ended_at": timestamp(shard.ended_at_ms or None),
    }
