"""How runs are printed: a table of several, one in full, one while it goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from .client import Client
from .durations import spoken
from .run_views import RunView
from .terminal import print_error, print_json, show, stderr, stdout, table

#: Characters of what a run waits for beside its bar, and of an error in a list.
_REASON, _ERROR = 60, 160

#: Columns of a bar, and of the terminals that have room for one.
_BAR, _WIDE = 20, 100

_COLOURS = {"succeeded": "green", "failed": "red", "expired": "red", "canceled": "yellow"}

#: States in which rows are answered.
_ANSWERS = frozenset({"planning", "running"})


def watched(client: Client, run_id: str, *, as_json: bool) -> RunView:
    """A run at its end, or held: a bar shows its rows, or a line of JSON each change.

    Without a terminal, in a log, a line for each state and each tenth of the rows.
    """
    text = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
    columns: list[ProgressColumn] = [text]
    if stderr.width >= _WIDE:
        columns.append(BarColumn(_BAR))
    is_quiet = as_json or not stderr.is_terminal
    told_last = ""
    with Progress(*columns, console=stderr, disable=is_quiet) as progress:
        bar = progress.add_task("", total=None)

        def told(run: RunView) -> None:
            nonlocal told_last
            if as_json:
                print_json(run.model_dump(mode="json"))
                return
            done, total = run.rows.answered + run.rows.failed, run.rows.total
            of = "" if total is None else f" of {total:,}"
            words = f"{done:,}{of} rows, {words_of(run)}"
            progress.update(bar, description=words, total=total, completed=done)
            tenth = 10 * done // total if total else 0
            here = f"{run.state} {run.waiting_for and run.waiting_for.reason} {tenth}"
            if is_quiet and here != told_last:
                stderr.print(Text(words), soft_wrap=True, highlight=False)
            told_last = here

        run = client.runs.wait(run_id, observer=told)
    if not as_json:
        show_runs([run], as_json=False)
    return run


def words_of(run: RunView) -> str:
    """How a run goes, in a line: its state, pace, what is left and what it has used."""
    if run.waiting_for:
        return f"{run.state}, waits: {run.waiting_for.reason[:_REASON]}"
    words = [run.state]
    if run.follow and run.follow["following"] and run.looked_at:
        words = [f"following, looked {run.looked_at:%H:%M:%S}"]
    if run.state in _ANSWERS or run.done:
        words.append(f"{run.rows_per_s:,.0f} rows/s")
    has_more = run.rows.total is None or run.rows.answered + run.rows.failed < run.rows.total
    if run.estimated_end_at and run.state in _ANSWERS and has_more:
        words.append(f"{_left(run.estimated_end_at)} left")
    if run.device_seconds >= 1:
        words.append(f"{run.device_seconds:,.0f} device s")
    return ", ".join(words)


def _left(end: datetime) -> str:
    return spoken(max(0.0, (end - datetime.now(UTC)).total_seconds()))


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
            error = run.error.message
            if len(runs) > 1 and len(error) > _ERROR:
                error = f"{error[:_ERROR]}…"
            print_error(f"{run.id}: {error}")


def lines_of(run: RunView) -> list[tuple[str, Text | str]]:
    """A run in full, a line a thing."""
    shards = f"{run.shards.done} of {run.shards.total}, {run.shards.running} running"
    asked = {**run.parameters, **run.inputs}
    pace = f"{run.rows_per_s:,.1f} rows/s" if run.rows_per_s >= 0.05 else ""
    lines: list[tuple[str, Text | str]] = [
        ("run", run.id),
        ("name", run.name),
        ("state", Text(run.state, _COLOURS.get(run.state, "cyan"))),
        ("error", Text(run.error.message, "red") if run.error else ""),
        ("waits for", _waits(run)),
        ("model", f"{run.model} {run.version}".strip()),
        ("asked", ", ".join(f"{name}={value}" for name, value in asked.items())),
        ("source", run.source),
        ("out", run.out or "the fleet's store"),
        ("format", run.format),
        ("rows", _rows(run)),
        ("shards", shards if run.shards.total else ""),
        ("pace", pace if run.done or run.state in _ANSWERS else ""),
        ("ends", _ends(run)),
        ("device", _device(run)),
        ("limits", _limits(run)),
        ("follows", _following(run)),
        ("began", _time(run.started_at or run.created_at)),
        ("ended", _ended(run)),
    ]
    top = sorted(run.labels.items(), key=lambda pair: -pair[1])[:8]
    lines += [("labels" if not at else "", f"{n:>8,} {name}") for at, (name, n) in enumerate(top)]
    return [(label, told) for label, told in lines if str(told)]


def _rows(run: RunView) -> str:
    rows = run.rows
    done = rows.answered + rows.failed
    reused = f" ({rows.reused:,} reused)" if rows.reused else ""
    flight = f", {rows.in_flight:,} in flight" if rows.in_flight and not run.done else ""
    share = f" ({done / rows.total:.0%})" if rows.total and done < rows.total else ""
    total = "not counted yet" if rows.total is None else f"of {rows.total:,}{share}"
    return f"{rows.answered:,} answered{reused}, {rows.failed:,} failed{flight}, {total}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _ends(run: RunView) -> str:
    end = run.estimated_end_at if run.state in _ANSWERS else None
    return f"in {_left(end)}, {_time(end)}" if end else ""


def _device(run: RunView) -> str:
    most = run.max_device_seconds
    of = f" of {most:,.0f} at most ({run.device_seconds / most:.0%})" if most else ""
    return f"{run.device_seconds:,.1f} s{of}"


def _limits(run: RunView) -> str:
    """What else ends it early."""
    errors = "" if run.max_errors is None else f"{run.max_errors:,} rows may fail"
    deadline = f"it may take {spoken(run.deadline_s)}" if run.deadline_s else ""
    return ", ".join(filter(None, (errors, deadline)))


def _ended(run: RunView) -> str:
    if run.ended_at is None:
        return ""
    took = (run.ended_at - (run.started_at or run.created_at)).total_seconds()
    kept = f", kept until {run.expires_at:%Y-%m-%d}" if run.expires_at else ""
    return f"{_time(run.ended_at)}, after {spoken(took)}{kept}"


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
