"""Answers as people like to read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from ..protocol import codec
from ..tasks.base import TaskOutput
from ..tasks.text.embedding import EmbeddingOutput
from ..tasks.vision.image_classification import ImageClassificationOutput
from ..tasks.vision.object_detection import ObjectDetectionOutput
from .jobs import JobView
from .operations import Output

_COLOURS = {"succeeded": "green", "failed": "red", "running": "cyan", "canceled": "yellow"}


def jobs_table(jobs: list[JobView], names: list[str] | None = None) -> Table:
    """Jobs, a line each; a column that would be empty is left out."""
    columns: dict[str, list[Text]] = {
        "id": [Text(job.id) for job in jobs],
        "status": [Text(job.status, style=_COLOURS.get(job.status, "white")) for job in jobs],
        "model": [Text(job.model_name) for job in jobs],
        "position": [
            Text("" if job.queue_position is None else str(job.queue_position)) for job in jobs
        ],
        "took": [Text(_took(job.created_at, job.finished_at)) for job in jobs],
        "error": [Text(job.error.message if job.error else "") for job in jobs],
        "input": [Text(name) for name in names or ()],
    }
    filled = {title: cells for title, cells in columns.items() if any(map(len, cells))}
    table = Table()
    for title in filled:
        # An id is there to be copied: it stays whole in a narrow terminal and in a pipe.
        whole = max(map(len, columns["id"])) if title == "id" else None
        table.add_column(title, overflow="fold", no_wrap=title == "id", min_width=whole)
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    return table


def _took(start: datetime, end: datetime | None) -> str:
    return f"{(end - start).total_seconds() * 1000:.0f} ms" if end else ""


def output_table(name: str, job_id: str, output: Output) -> RenderableType:
    """An answer."""
    title = Text.assemble(name, "  ", (job_id, "dim")) if name else Text(job_id)
    if isinstance(output, ImageClassificationOutput):
        table = Table("row", "label", "score", title=title)
        for row, results in enumerate(output.results):
            for found in results:
                table.add_row(str(row), Text(found.label), f"{found.score:.4f}")
        return table
    if isinstance(output, ObjectDetectionOutput):
        table = Table("row", "label", "score", "box", title=title)
        for row, detections in enumerate(output.detections):
            for item in detections:
                corners = (item.box.xmin, item.box.ymin, item.box.xmax, item.box.ymax)
                box = ", ".join(f"{corner:.0f}" for corner in corners)
                table.add_row(str(row), Text(item.label), f"{item.score:.4f}", box)
        return table
    if isinstance(output, EmbeddingOutput):
        table = Table("row", "dimensions", "embedding", title=title)
        for row, vector in enumerate(output.embeddings):
            head = ", ".join(f"{value:+.4f}" for value in vector[:6])
            table.add_row(str(row), str(len(vector)), f"{head}, ...")
        return table
    if isinstance(output, TaskOutput):
        return Group(title, JSON(output.model_dump_json()))
    return Group(title, JSON(codec.encode_response(output)[0].decode()))


def models_table(listed: list[dict[str, Any]]) -> Table:
    """Models, a line each."""
    table = Table("model", "version", "task", "backend", "state", "reason")
    for entry in listed:
        colour = "green" if entry["state"] == "READY" else "red"
        table.add_row(
            entry["name"],
            entry["version"],
            entry.get("task", ""),
            entry.get("platform", "").removeprefix("wherry_"),
            f"[{colour}]{entry['state']}[/]",
            Text(entry["reason"]),
        )
    return table


def queues_table(fleet: dict[str, Any]) -> RenderableType:
    """Groups, workers and totals."""
    groups = Table("model", "priority", "waiting", "running", "oldest", "jobs/s", "batch fill")
    for queue in fleet["queues"]:
        groups.add_row(
            f"{queue['model']}:{queue['version']}",
            str(queue["priority"]),
            str(queue["waiting"]),
            str(queue["running"]),
            f"{queue['oldest_s']:.1f} s",
            f"{queue['jobs_per_s']:.1f}",
            f"{queue['batch_fill']:.0%}",
        )
    workers = Table("worker", "device", "families", "running", "seen")
    for worker in fleet["workers"]:
        seen = worker["last_seen_s"]
        workers.add_row(
            worker["id"],
            worker["device"],
            ", ".join(worker["families"]),
            str(worker["running"]),
            "never" if seen is None else f"{seen:.1f} s ago",
        )
    totals = "   ".join(f"{name} {count}" for name, count in fleet["totals"].items())
    warnings = [
        Text(f"{worker['id']}: {warning}")
        for worker in fleet["workers"]
        for warning in worker.get("warnings", [])
    ]
    return Group(groups, workers, *warnings, totals)
