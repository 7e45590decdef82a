"""`make bench-memory`: what a job takes of Redis and of a worker, beside another checkout's jobs.

Both checkouts run in turn, each with its own environment, and where Redis' CPU counts on one Redis:
two servers of one program differ by a fifth. `python -m bench.memory --before ../older` takes four
minutes; `--large` adds 200,000 jobs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wherry.ops.redis_server import RedisServer

_HERE = Path(__file__).parents[1]
_LOAD = Path(__file__).with_name("redis_jobs.py")


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    #: What `redis_jobs.py` measures, how many jobs, in batches of how many, and how often.
    what: str
    count: int
    rows: int
    rounds: int
    #: Of what it prints, and what the ratio should be at most.
    fields: Sequence[str]
    target: float | None = None


_FIGURES = (
    Figure("bytes a job, 10,000", "memory", 10_000, 1, 1, ("waiting", "finished"), 0.5),
    Figure("Redis, batches of 32", "cpu", 640, 32, 30, ("cpu_us", "commands"), 1.0),
    Figure("Redis, batches of 1", "cpu", 96, 1, 30, ("cpu_us", "commands"), 1.0),
    Figure("worker, nobody listens", "worker", 3_000, 1, 5, ("cpu_us",), 0.65),
    Figure("worker, Flower listens", "listened", 3_000, 1, 5, ("cpu_us",)),
    Figure("GET /v2/queues, 5,436 groups", "queues", 5_436, 1, 1, ("longest_ms", "calls")),
    Figure("GET /v2/jobs, no match", "list", 20_000, 1, 1, ("longest_ms", "calls")),
)
_LARGE = Figure("bytes a job, 200,000", "memory", 200_000, 1, 1, ("waiting", "finished"), 0.5)


@contextlib.contextmanager
def _load(tree: Path, figure: Figure, url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    count, rows = str(figure.count), str(figure.rows)
    # Prefixes of one length: they are in every key.
    prefix = "older" if tree != _HERE else "newer"
    command = [tree / ".venv/bin/python", _LOAD, figure.what, url, prefix, folder, count, rows]
    process = subprocess.Popen(
        [*map(str, command)], cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        _reply(process)
        yield process
    finally:
        process.communicate()


def _reply(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a checkout's part has ended; what it said stands above")
    found: dict[str, float] = json.loads(line)
    return found


def _ask(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return _reply(process)


def _measure(figure: Figure, trees: Sequence[Path]) -> list[list[dict[str, float]]]:
    """What each checkout came to, a value a round."""
    found: list[list[dict[str, float]]] = [[] for _ in trees]
    if figure.rounds == 1:  # each on a Redis of its own, which is empty
        for one, tree in zip(found, trees, strict=True):
            with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
                folder = Path(name)
                with RedisServer(folder) as server, _load(tree, figure, server.url, folder) as load:
                    one.append(_ask(load))
        return found
    with (
        tempfile.TemporaryDirectory(prefix="wherry-bench-") as name,
        contextlib.ExitStack() as all_,
    ):
        folder = Path(name)
        servers = [all_.enter_context(RedisServer(folder / "0"))]
        if figure.what != "cpu":  # Celery's queues and events bear no prefix
            servers = [*servers, all_.enter_context(RedisServer(folder / "1"))]
        loads = [
            all_.enter_context(_load(tree, figure, servers[number % len(servers)].url, folder))
            for number, tree in enumerate(trees)
        ]
        for number in range(figure.rounds):
            order = list(zip(found, loads, strict=True))
            for one, load in order if number % 2 else reversed(order):
                one.append(_ask(load))
    return found


def _rows(figure: Figure, found: list[list[dict[str, float]]]) -> Iterator[dict[str, Any]]:
    for field in figure.fields:
        rounds = [[values[field] for values in one] for one in found]
        row: dict[str, Any] = {"what": f"{figure.name}: {field}"}
        row["now"] = statistics.median(rounds[-1])
        if len(rounds) > 1:
            row["before"] = statistics.median(rounds[0])
            ratios = [now / before for before, now in zip(*rounds, strict=True) if before]
            row["ratio"] = statistics.median(ratios) if ratios else None
            row["target"] = figure.target if field != "commands" else None
        yield row


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("what", "before", "now", "ratio", "target")
    for row in rows:
        told = [row.get(name) for name in ("before", "now", "ratio", "target")]
        digits = [".1f", ".1f", ".2f", ".2f"]
        cells = ("" if v is None else format(v, form) for v, form in zip(told, digits, strict=True))
        table.add_row(row["what"], *cells)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--large", action="store_true", help="200,000 jobs, too")
    parser.add_argument("--only", default="", help="lines whose name holds this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    trees = [*([options.before.resolve()] if options.before else []), _HERE]
    figures = [*_FIGURES, *([_LARGE] if options.large else [])]
    rows: list[dict[str, Any]] = []
    for figure in figures:
        if options.only in figure.name:
            rows += _rows(figure, _measure(figure, trees))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        Console(width=110).print(_table(rows))


if __name__ == "__main__":
    main()
