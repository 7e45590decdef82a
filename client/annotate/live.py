"""What a run shows while it goes: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...protocol.errors import WherryError
from . import run
from .fleet import Fleet

#: Seconds between two looks at the fleet, and between two plain lines.
_FLEET_S, _LINE_S = 2.0, 10.0


class View:
    """Shows progress on a console. Use it in a `with` block and call it with each progress."""

    def __init__(self, console: Console, client: Fleet, model: str) -> None:
        self._console, self._client, self._model = console, client, model
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(model, total=None, rate="", count="")
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._looked_at = self._printed_at = 0.0
        self._fleet: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: run.Progress) -> None:
        """Show where the run stands."""
        finished = progress.done + progress.failed + progress.reused
        self._bar.update(
            self._task,
            completed=finished,
            total=progress.total,
            rate=f"{progress.rows_per_s:,.1f} rows/s",
            count=_counted(progress),
        )
        now = time.monotonic()
        if now - self._looked_at > _FLEET_S:
            self._looked_at, self._fleet = now, self._look()
            if self._live:
                self._live.update(Group(self._bar, self._counts(progress)), refresh=True)
        if not self._live and now - self._printed_at > _LINE_S:
            self._printed_at = now
            self._console.print(line(progress), highlight=False, soft_wrap=True)

    def _counts(self, progress: run.Progress) -> Table:
        table = Table.grid(padding=(0, 2))
        fills = [
            queue["batch_fill"]
            for queue in self._fleet.get("queues", [])
            if queue["model"] == self._model and queue["batch_fill"] is not None
        ]
        table.add_row(
            f"in flight {progress.in_flight}",
            f"reused {progress.reused}",
            f"retried {progress.retried}",
            f"[red]failed {progress.failed}[/]" if progress.failed else "failed 0",
            f"batch fill {max(fills):.0%}" if fills else "",
            f"left out {progress.left_out:,} files" if progress.left_out else "",
        )
        for worker in self._fleet.get("workers", []):
            if self._model in worker["models"]:
                state = "alive" if worker["alive"] else "[red]gone[/]"
                table.add_row(
                    worker["id"], str(worker["device"]), state, f"runs {worker['running']}"
                )
        return table

    def _look(self) -> dict[str, Any]:
        try:
            return self._client.get("/v2/queues")
        except WherryError:
            return self._fleet  # away for a moment; the run itself has the patience


def line(progress: run.Progress) -> str:
    """Where a run stands, as one line."""
    finished = progress.done + progress.failed + progress.reused
    left = ""
    if progress.total and progress.rows_per_s > 0:
        left = f", {(progress.total - finished) / progress.rows_per_s:,.0f} s left"
    return (
        f"{_counted(progress)} rows, {progress.rows_per_s:,.1f} rows/s{left}; "
        f"in flight {progress.in_flight}, reused {progress.reused}, retried {progress.retried}, "
        f"failed {progress.failed}"
        + (f", left out {progress.left_out:,} files" if progress.left_out else "")
    )


def _counted(progress: run.Progress) -> str:
    """Rows that are finished, of all; while nobody knows how many, of those read so far."""
    finished = progress.done + progress.failed + progress.reused
    known = f"{progress.read:,}+" if progress.total is None else f"{progress.total:,}"
    return f"{finished:,} of {known}"
