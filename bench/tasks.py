"""`make bench-tasks`: rows a second of every task and backend, alone and in batches.

In this process, through `create_task`, with the sample models: tiny ones but for the few tasks that
have a trained one, on equal rows and one thread. So the times say little of real models; the ratio
says whether batching pays at all. ONNX Runtime gets the same models, exported. With `--generators`
chat, text-generation and speech recognition run SmolLM2 and Whisper: minutes instead of seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from wherry.ops.task_card import backends_of
from wherry.samples.models import write_samples
from wherry.tasks.base import TaskInput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export
from wherry.tasks.models_file import load_catalog
from wherry.tasks.registry import get_task, task_names

BATCHES = (2, 4, 8, 16, 32)

#: One measurement takes at least so many seconds, or so many rounds of a slow model.
_LEAST_S, _MOST_ROUNDS, _SLOW_ROUNDS = 0.25, 200, 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One task on one backend; `error` says why there are no figures."""

    task: str
    backend: str
    alone_rows_per_s: float = 0.0
    best_batch: int = 0
    best_rows_per_s: float = 0.0
    speed_up: float = 0.0
    error: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    names = options.tasks or list(task_names())
    models = load_catalog(
        write_samples(options.samples, names, generators=options.generators)
    ).models
    sources = {model.name: model.source for model in models}
    chosen = [
        (name, backend)
        for name in names
        for backend in backends_of(get_task(name))
        if backend in options.backends
    ]
    rows: list[Measured] = []
    table = _table()
    # On stderr while it grows, so that stdout is the figures alone.
    with Live(table, console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        for name, backend in chosen:
            rows.append(measure(name, backend, sources[name]))
            table.add_row(*_cells(rows[-1]))
            live.refresh()
    if options.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows]) + "\n")
    else:
        Console(width=max(Console().width, 110)).print(table)
        for row in rows:
            if row.error:
                Console(soft_wrap=True).print(f"{row.task} on {row.backend}: {escape(row.error)}")


def _options(arguments: Sequence[str] | None) -> Any:  # a namespace
    parser = argparse.ArgumentParser(prog="python -m bench.tasks", description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="only these")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument(
        "--generators", action="store_true", help="the trained models that write token by token"
    )
    parser.add_argument(
        "--backend",
        dest="backends",
        action="append",
        default=None,
        help="only this one; may be repeated (default: transformers and onnxruntime)",
    )
    parser.add_argument("--samples", type=Path, default=Path(".wherry/bench-samples"))
    options = parser.parse_args(arguments)
    options.backends = options.backends or ["transformers", "onnxruntime"]
    return options


def measure(name: str, backend: str, source: str | None) -> Measured:
    """A task's rows a second alone and in its best batch; one thread, so that ratios compare."""
    try:
        with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
            if backend == "onnxruntime":
                source = _with_graph(name, source, Path(folder))
            elif source is not None and _is_only_graph(Path(source)):
                raise ValueError("the sample model is a graph alone")
            with create_task(backend, name, source, {"threads": 1}) as task:
                alone = _rows_per_s(task, 1)
                batched = {size: _rows_per_s(task, size) for size in BATCHES}
    except Exception as error:  # one task's fault must not end the others' figures
        return Measured(name, backend, error=f"{type(error).__name__}: {error}".splitlines()[0])
    best = max(batched, key=lambda size: batched[size])
    return Measured(
        task=name,
        backend=backend,
        alone_rows_per_s=round(alone, 1),
        best_batch=best,
        best_rows_per_s=round(batched[best], 1),
        speed_up=round(batched[best] / alone, 2),
    )


def _with_graph(name: str, source: str | None, folder: Path) -> str:
    """A folder with the model as ONNX: the source if it has it, else an export."""
    if source is None:
        raise ValueError("no sample model")
    if any(Path(source).glob("*.onnx")):
        return source
    export(source, folder, name)
    return str(folder)


def _is_only_graph(folder: Path) -> bool:
    return any(folder.glob("*.onnx")) and not any(folder.glob("*.safetensors"))


def _rows_per_s(task: LocalTask, size: int) -> float:
    """Rows a second in batches of a size: the median round's, so that a hiccup does not count."""
    batch = _repeated(task.task.example.input, size)
    task.process(batch)  # warm: shapes are new to the libraries
    rounds: list[float] = []
    while len(rounds) < _SLOW_ROUNDS or (sum(rounds) < _LEAST_S and len(rounds) < _MOST_ROUNDS):
        started = time.perf_counter()
        task.process(batch)
        rounds.append(time.perf_counter() - started)
    return size / sorted(rounds)[len(rounds) // 2]


def _repeated(inputs: TaskInput, size: int) -> TaskInput:
    """The golden example's first row, so many times."""
    row = inputs.rows()[0]
    fields = {field: values * size for field in row.ROWS if (values := getattr(row, field))}
    return row.model_copy(update=fields)


def _table() -> Table:
    table = Table(title="Rows a second, sample models, one thread")
    for title in ("task", "backend"):
        table.add_column(title, no_wrap=True)
    for title in ("alone", "best batch", "rows/s there", "speed-up"):
        table.add_column(title, justify="right")
    return table


def _cells(row: Measured) -> tuple[str, ...]:
    if row.error:
        return row.task, row.backend, "-", "-", "-", "-"
    return (
        row.task,
        row.backend,
        f"{row.alone_rows_per_s:,.1f}",
        str(row.best_batch),
        f"{row.best_rows_per_s:,.1f}",
        f"{row.speed_up:.1f}x",
    )


if __name__ == "__main__":
    main()
