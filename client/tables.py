"""Answers as people like to read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from ..protocol import codec
from ..tasks.base import TaskOutput
from .answers import answer_table
from .jobs import JobView
from .operations import Output
from .terminal import table

#: What a job's state is printed in.
STATE_COLOURS = {"succeeded": "green", "failed": "red", "running": "cyan", "canceled": "yellow"}


def jobs_table(jobs: list[JobView], names: list[str] | None = None) -> Table:
    """Jobs, a line each; their inputs' names, where they are given, at the end."""
    columns = ("id", "status", "model", "position", "took", "error", "input")
    rows = [
        (
            job.id,
            Text(job.status, style=STATE_COLOURS.get(job.status, "white")),
            job.model_name,
            "" if job.queue_position is None else str(job.queue_position),
            took(job.created_at, job.finished_at),
            job.error.message if job.error else "",
            name,
        )
        for job, name in zip(jobs, names or [""] * len(jobs), strict=True)
    ]
    return table(columns, rows, fold="error")


def took(start: datetime, end: datetime | None) -> str:
    """How long a job took; "" before its end."""
    return f"{(end - start).total_seconds() * 1000:.0f} ms" if end else ""


def output_table(name: str, job_id: str, output: Output) -> RenderableType:
    """An answer, under its name."""
    title = Text.assemble(name, "  ", (job_id, "dim")) if name else Text(job_id)
    title.no_wrap, title.overflow = True, "ignore"  # whole, to be copied
    if isinstance(output, TaskOutput):
        return Group(title, answer_table(output))
    return Group(title, JSON(codec.encode_response(output)[0].decode()))


def models_table(listed: list[dict[str, Any]]) -> RenderableType:
    """Models, a line each."""
    if not listed:
        return "no models"
    rows = [
        (
            entry["name"],
            entry["version"],
            entry.get("task", ""),
            entry.get("platform", "").removeprefix("wherry_"),
            Text(entry["state"], style="green" if entry["state"] == "READY" else "red"),
            _amount(entry.get("bytes", 0), 1024, ("B", "KiB", "MiB", "GiB")),
            _amount(entry.get("parameters", 0), 1000, ("", "k", "M", "G")),
            entry.get("dtype", ""),
        )
        for entry in listed
    ]
    reasons = [Text(f"{one['name']}: {one['reason']}") for one in listed if one["reason"]]
    columns = ("model", "version", "task", "backend", "state", "memory", "weights", "dtype")
    return Group(table(columns, rows, fold=""), *reasons)


#: What of a model's metadata is known from its load, and what that is called.
_FACTS = (
    ("description", "what it is for"),
    ("source", "source"),
    ("revision", "revision"),
    ("runtime", "runtime"),
    ("bytes", "bytes of memory"),
    ("parameters", "weights"),
    ("dtype", "dtype"),
    ("batching", "rows that share a forward"),
    ("labels", "labels"),
)


def model_view(metadata: dict[str, Any]) -> RenderableType:
    """One model: what it takes and gives, and what it turned out to be."""
    told = metadata.get("parameters", {})
    rows = [
        ("task", str(told.get("task", ""))),
        ("versions", ", ".join(metadata["versions"])),
        *(
            (name, ", ".join(spec["name"] for spec in metadata[name]))
            for name in ("inputs", "outputs")
        ),
        *((title, _spoken(told[field])) for field, title in _FACTS if told.get(field)),
    ]
    tuning = told.get("tuning")
    if tuning:
        rows.append(("tuning", f"{tuning['chosen']}: {tuning['why']}"))
    view = table(("of the model", metadata["name"]), rows, fold=metadata["name"])
    return Group(view, tuning_table(tuning)) if tuning and tuning["tried"] else view


def tuning_table(told: Mapping[str, Any]) -> RenderableType:
    """What tuning tried, and what became of each."""
    tried = told["tried"]
    sizes = sorted({int(size) for each in tried for size in each["rows_per_s"]})
    rows = [
        (
            each["name"],
            *(f"{rate:,.1f}" if (rate := each["rows_per_s"].get(str(n))) else "" for n in sizes),
            f"{each['difference']:.1e}" if each["rows"] else "",
            f"{each['first_changed']} of {each['rows']}" if each["rows"] else "",
            "chosen" if each["name"] == told["chosen"] else each["refused"],
        )
        for each in tried
    ]
    columns = (
        "tried",
        *(f"batch of {size}" for size in sizes),
        "differs",
        "1st label",
        "verdict",
    )
    heads = Text("Rows a second, how far answers differ, and how often in their first label:")
    return Group(heads, table(columns, rows, fold="verdict"))


def _spoken(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _amount(value: int, step: int, units: tuple[str, ...]) -> str:
    """A number in the largest unit of which there is one; "" for 0, which nobody could count."""
    size, unit = float(value), units[0]
    for larger in units[1:]:
        if size < step:
            break
        size, unit = size / step, larger
    return f"{size:.3g} {unit}".strip() if value else ""


def reload_view(changed: dict[str, Any]) -> RenderableType:
    """What a reload changed, a line for each kind, and what went wrong."""
    lines = [
        Text(f"{kind}: {', '.join(changed[kind])}")
        for kind in ("added", "changed", "removed")
        if changed[kind]
    ]
    faults = {**changed["failed"], **changed["workers_at_fault"]}
    lines += [Text(f"{where}: {reason}", style="red") for where, reason in faults.items()]
    for family, models in changed.get("unserved", {}).items():
        lines.append(
            Text(
                f"{', '.join(models)}: no worker of the family {family} yet: "
                f"`wherry up` starts one by itself, else `wherry worker {family}` does",
                style="yellow",
            )
        )
    if not changed["done"]:
        lines.append(Text("some models are still loading: `wherry models` shows them"))
    return Group(*lines or [Text("nothing has changed")])


def queues_table(fleet: dict[str, Any]) -> RenderableType:
    """Groups, workers and totals."""
    groups = [
        (
            f"{queue['model']}:{queue['version']}",
            str(queue["priority"]),
            str(queue["waiting"]),
            str(queue["running"]),
            f"{queue['oldest_s']:.1f} s",
            f"{queue['jobs_per_s']:.1f}",
            f"{queue['batch_fill']:.0%}",
        )
        for queue in fleet["queues"]
    ]
    titles = ("model", "priority", "waiting", "running", "oldest", "jobs/s", "batch fill")
    workers = [
        (
            worker["id"],
            worker["device"],
            ", ".join(worker["families"]),
            str(worker["running"]),
            "never" if worker["last_seen_s"] is None else f"{worker['last_seen_s']:.1f} s ago",
            worker.get("reason") or worker.get("state") or "",
        )
        for worker in fleet["workers"]
    ]
    seen = ("worker", "device", "families", "running", "seen", "state")
    totals = "   ".join(f"{name} {count}" for name, count in fleet["totals"].items())
    warnings = [
        Text(f"{worker['id']}: {warning}")
        for worker in fleet["workers"]
        for warning in worker.get("warnings", [])
    ]
    return Group(
        table(titles, groups, fold="") if groups else "nothing waits or runs",
        table(seen, workers, fold="families state") if workers else "no workers to be seen",
        *warnings,
        totals,
    )
