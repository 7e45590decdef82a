"""How runs are shown in a terminal: tables, and one in full."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from .run_views import RunView
from .terminal import print_error, print_json, show, stdout, table

_COLOURS = {"succeeded": "green", "failed": "red", "expired": "red", "canceled": "yellow"}


def show_runs(runs: list[RunView], *, as_json: bool) -> None:
    """Print runs: a table, or a line of JSON each."""
    if as_json:
        for run in runs:
            print_json(run.model_dump(mode="json"))
        return
    if not runs:
        stdout.print("no runs")
        return
    rows = [
        (
            run.id,
            run.name,
            Text(run.state, _COLOURS.get(run.state, "cyan")),
            run.model,
            f"{run.rows.answered:,} of {'?' if run.rows.total is None else f'{run.rows.total:,}'}",
            f"{run.rows.failed:,}" if run.rows.failed else "",
            f"{run.created_at:%Y-%m-%d %H:%M}",
        )
        for run in runs
    ]
    columns = ("id", "name", "state", "model", "answered", "failed", "created (UTC)")
    show(table(columns, rows, fold="name"))
    for run in runs:
        if run.error:
            print_error(f"{run.id}: {run.error.message}")


def lines_of(run: RunView) -> list[tuple[str, Text | str]]:
    """A run in full, a line a thing."""
    total = "not counted yet" if run.rows.total is None else f"of {run.rows.total:,}"
    shards = f"{run.shards.done} of {run.shards.total}, {run.shards.running} running"
    lines: list[tuple[str, Text | str]] = [
        ("run", run.id),
        ("name", run.name),
        ("state", Text(run.state, _COLOURS.get(run.state, "cyan"))),
        ("error", Text(run.error.message, "red") if run.error else ""),
        ("waits for", _waits(run)),
        ("model", f"{run.model} {run.version}".strip()),
        ("source", run.source),
        ("out", run.out or "the fleet's store"),
        ("format", run.format),
        ("rows", f"{run.rows.answered:,} answered, {run.rows.failed:,} failed, {total}"),
        ("shards", shards if run.shards.total else ""),
        ("pace", f"{run.rows_per_s:,.1f} rows/s" if run.rows_per_s >= 0.05 else ""),
        ("ends", f"{run.estimated_end_at:%Y-%m-%d %H:%M:%S} UTC" if run.estimated_end_at else ""),
        ("device", f"{run.device_seconds:,.1f} s"),
        ("follows", _following(run)),
    ]
    top = sorted(run.labels.items(), key=lambda pair: -pair[1])[:8]
    lines += [("labels" if not at else "", f"{n:>8,} {name}") for at, (name, n) in enumerate(top)]
    return [(label, told) for label, told in lines if str(told)]


def _following(run: RunView) -> str:
    """How a run follows its source, in words; "" for one that does not."""
    told = run.follow
    if not told or not told.get("since"):
        return ""
    words = "taking no more" if told["finishing"] else "since" if told["following"] else "ended"
    words += f" {told['since'][:19]}" if words == "since" else ""
    if run.looked_at and told["following"]:
        words += f", looked {run.looked_at:%H:%M:%S}"
    new = f", last new {told['found_at'][:19]}" if told["found_at"] else ", nothing new yet"
    wait = f", {told['waiting']:,} wait" if told["waiting"] else ""
    trouble = f"; {told['trouble']}" if told["trouble"] else ""
    return f"{words}, {told['files']:,} files{new}{wait}{trouble}"


def _waits(run: RunView) -> Text | str:
    found = run.waiting_for
    if found is None:
        return ""
    return Text(f"{found.reason} ({found.step}, since {found.since:%H:%M:%S} UTC)", "yellow")


def show_compared(run_id: str, other: str, found: dict[str, Any]) -> None:
    """Print two runs side by side, as the server compares them."""
    rows = [
        (
            str(row["id"]),
            "" if row["agreement"] is None else f"{row['agreement']:.3f}",
            _labels(row["a"]),
            _labels(row["b"]),
        )
        for row in found["rows"]
    ]
    show(table(("row", "agreement", run_id, other), rows, fold=f"{run_id} {other}"))
    stdout.print(_told(found), soft_wrap=True, highlight=False)


def _labels(row: dict[str, Any]) -> str:
    if row["state"] == "failed":
        return "failed"
    return ", ".join(str(found["label"]) for found in row["labels"][:3])


def _told(found: dict[str, Any]) -> str:
    if found["agreement"] is None:
        return f"{found['counted']:,} rows in common, none answered by both"
    return (
        f"{found['counted']:,} of {found['of']:,} rows compared: agreement "
        f"{found['agreement']:.3f}, the same first label in {found['same_first_label']:.1%}"
    )
