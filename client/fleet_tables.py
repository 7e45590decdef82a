"""The fleet's processes and jobs as an operator likes to read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from .durations import spoken
from .jobs import JobView
from .tables import STATE_COLOURS, took
from .terminal import table

#: Models of a worker that a line names; of more it says how many.
_NAMED = 4

_WORKER_COLOURS = {"ready": "green", "draining": "yellow", "waiting": "red", "loading": "cyan"}


def workers_table(fleet: dict[str, Any]) -> RenderableType:
    """Workers, a line each, the APIs, and why some serve nothing."""
    workers, apis = fleet["workers"], fleet["apis"]
    columns = (
        *("node", "family", "device", "state", "models"),
        *("busy", "fill", "running", "version", "seen"),
    )
    reasons = [
        Text(f"{each.get('node', each['id'])}: {said}")
        for each in (*workers, *apis)
        for said in (each.get("reason"), *each.get("warnings", ()))
        if said
    ]
    heads = ("API", "host", "version", "seen")
    return Group(
        table(columns, [_worker(each) for each in workers], fold="models")
        if workers
        else "no workers to be seen",
        table(heads, [_api(each) for each in apis], fold="") if apis else "no API of this version",
        *reasons,
        *(Text(line, style="yellow") for line in versions_apart(workers, apis)),
    )


def versions_apart(workers: list[dict[str, Any]], apis: list[dict[str, Any]]) -> list[str]:
    """A line where not all run one version."""
    found: dict[str, int] = {}
    for each in (*workers, *apis):
        version = each["version"] or "an earlier one"
        found[version] = found.get(version, 0) + 1
    if len(found) < 2:
        return []
    counted = ", ".join(f"{version} ({count})" for version, count in sorted(found.items()))
    return [f"several versions: {counted}; docs/upgrading.md says what they do together"]


def _worker(each: dict[str, Any]) -> Sequence[str | Text]:
    state = (each["state"] or "") if each["alive"] else "dead"
    return (
        each["node"],
        ", ".join(each["families"]),
        each["device"] or "",
        Text(state, style=_WORKER_COLOURS.get(state, "red")),
        _some(each["models"]),
        _share(each["busy_share"]),
        _share(each["batch_fill"]),
        str(each["running"]),
        each["version"] or "",
        _ago(each["last_seen_s"]),
    )


def _api(each: dict[str, Any]) -> Sequence[str]:
    return (
        each["id"],
        each["host"] or "",
        each["version"] or "",
        _ago(each["last_seen_s"]),
    )


def _some(models: list[str]) -> str:
    more = len(models) - _NAMED
    return ", ".join(models[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s ago"


def listed_jobs_table(jobs: Sequence[JobView]) -> RenderableType:
    """Jobs, a line each, with what an operator looks for."""
    now = datetime.now(UTC)
    columns = ("id", "status", "model", "tenant", "age", "attempt", "took", "error")
    rows = [
        (
            job.id,
            Text(job.status, style=STATE_COLOURS.get(job.status, "white")),
            job.model_name,
            job.tenant or "",
            spoken(max(0.0, (now - job.created_at).total_seconds())),
            str(job.attempt),
            took(job.created_at, job.finished_at),
            f"{job.error.type}: {job.error.message}" if job.error else "",
        )
        for job in jobs
    ]
    return table(columns, rows, fold="error")


def job_view(job: JobView) -> RenderableType:
    """One job: what it is, and all that happened to it."""
    rows: list[tuple[str, str | Text]] = [
        ("status", Text(job.status, style=STATE_COLOURS.get(job.status, "white"))),
        ("model", f"{job.model_name}:{job.model_version}"),
        ("task", job.task),
        ("rows", str(job.rows)),
        ("priority", str(job.priority)),
        ("tenant", job.tenant or ""),
        ("position", "" if job.queue_position is None else str(job.queue_position)),
        ("took", took(job.created_at, job.finished_at)),
        ("error", f"{job.error.type}: {job.error.message}" if job.error else ""),
        ("trace", job.trace_id or ""),
    ]
    shown = [(name, value) for name, value in rows if str(value)]
    changes = [
        (
            change.at.isoformat(timespec="milliseconds"),
            change.status,
            str(change.attempt),
            change.worker or "",
        )
        for change in job.history
    ]
    heads = ("at", "status", "attempt", "worker")
    return Group(table(("of the job", job.id), shown, fold=job.id), table(heads, changes, fold=""))
