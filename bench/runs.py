"""`make bench-runs`: a data set annotated by the fleet itself, held against one process's annotate,
and against a loop that reads, sends and writes with nothing kept.

The model is the stub, so that what is measured is all but the model. CPU of each part is read from
/proc and hardly depends on what else the machine does; rows a second do. Each way has a fleet of
its own, so that the most memory that a part held is of that way. A killed run worker's CPU is this
process's, `up`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack, runs_name

from .start import cpu_s

_HERE = Path(__file__).parents[1]

_MODELS = """
[[models]]
name = "words"
task = "text-classification"
backend = "stub"
max_batch_size = 64
"""

#: Seconds between two looks at a run: what a time is exact to.
_LOOK_S = 0.1


@dataclass
class Took:
    """What one way to do it took."""

    title: str
    rows: int
    seconds: float
    #: Of these, what the merge took; None where there is none.
    merge_s: float | None
    #: µs of CPU a row, by part.
    cpu_us: dict[str, float]
    #: MiB that each part held at most; of run workers, the one that held most.
    most_mib: dict[str, float]

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.seconds


@contextmanager
def _fleet(folder: Path, workers: int) -> Iterator[Stack]:
    folder.mkdir()
    models = folder / "models.toml"
    models.write_text(_MODELS)
    with Stack(models=models, data_dir=folder, flower=False, run_workers=workers) as stack:
        yield stack


def _cpu() -> dict[str, float]:
    found: dict[str, float] = {}
    for service, seconds in cpu_s(os.getpid()).items():
        name = "runs" if service.startswith("worker-runs") else service.partition("-")[0]
        found[name] = found.get(name, 0.0) + seconds
    return found


def _used(before: dict[str, float], rows: int) -> dict[str, float]:
    return {
        name: (seconds - before.get(name, 0.0)) / rows * 1e6 for name, seconds in _cpu().items()
    }


def _alone(stack: Stack, kind: str, source: Path, rows: int) -> Took:
    """One process: `wherry annotate`, or the loop."""
    before = _cpu()
    done = subprocess.run(
        [sys.executable, _HERE / "bench/bulk_load.py", kind, stack.url, "words", source],
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["rows"] == rows
    used = {**_used(before, rows), "client": told["client"] / rows * 1e6}
    used.pop("up")  # the client again
    title = {"annotate": "annotate, one process", "plain": "read, sent and written, one process"}
    return Took(title[kind], rows, told["seconds"], None, used, _most_mib(stack))


def _run(stack: Stack, source: Path, rows: int, workers: int) -> Took:
    """The same as a run, from its creation to its end."""
    before, client = _cpu(), Client(stack.url)
    started = time.perf_counter()
    run_id = client.post("/v2/runs", {"source": str(source), "model": "words"})["id"]
    _until(client, run_id, lambda run: run["state"] in ("merging", "succeeded", "failed"))
    answered = time.perf_counter()
    run = _until(client, run_id, lambda run: run["state"] in ("succeeded", "failed"))
    ended = time.perf_counter()
    assert (run["state"], run["rows"]["total"]) == ("succeeded", rows), run
    title = f"a run, {workers} run worker{'s' * (workers > 1)}"
    used, most = _used(before, rows), _most_mib(stack)
    client.delete(f"/v2/runs/{run_id}")
    return Took(title, rows, ended - started, ended - answered, used, most)


def _until(client: Client, run_id: str, good: Any) -> dict[str, Any]:
    while not good(run := client.get(f"/v2/runs/{run_id}")):
        time.sleep(_LOOK_S)
    return run


def _most_mib(stack: Stack) -> dict[str, float]:
    found: dict[str, float] = {}
    pids = {name: child.pid for name, child in stack.children.items()}
    if stack.redis:
        pids["redis"] = stack.redis.pid
    for name, pid in pids.items():
        status = Path(f"/proc/{pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        part = "runs" if name.startswith(runs_name()) else name.partition("-")[0]
        found[part] = max(found.get(part, 0.0), int(line.split()[1]) / 1024)
    return found


def _resumed(stack: Stack, source: Path, rows: int) -> tuple[float, Took]:
    """Seconds from the kill of the only run worker to its next answer, and the run as a whole."""
    before, client = _cpu(), Client(stack.url)
    started = time.perf_counter()
    run_id = client.post("/v2/runs", {"source": str(source), "model": "words"})["id"]
    _until(client, run_id, lambda run: _answered(run) > rows / 2)
    stack.children[runs_name()].signal(signal.SIGKILL)
    killed = time.perf_counter()
    known = _answered(client.get(f"/v2/runs/{run_id}"))
    _until(client, run_id, lambda run: _answered(run) > known)
    resume_s = time.perf_counter() - killed
    _until(client, run_id, lambda run: run["state"] in ("merging", "succeeded", "failed"))
    answered = time.perf_counter()
    run = _until(client, run_id, lambda run: run["state"] in ("succeeded", "failed"))
    ended = time.perf_counter()
    assert (run["state"], run["rows"]["total"]) == ("succeeded", rows), run
    title = "a run, its run worker killed half way"
    took = Took(
        title, rows, ended - started, ended - answered, _used(before, rows), _most_mib(stack)
    )
    return resume_s, took


def _answered(run: dict[str, Any]) -> int:
    rows = run["rows"]
    return int(rows["answered"] + rows["failed"])


def _table(found: list[Took]) -> Table:
    table = Table(
        "what", "rows", "rows/s", "of it the merge, rows/s", "CPU µs a row", "MiB at most"
    )
    for took in found:
        merge = f"{took.rows / took.merge_s:,.0f}" if took.merge_s else ""
        table.add_row(
            took.title,
            f"{took.rows:,}",
            f"{took.rows_per_s:,.0f}",
            merge,
            _told(took.cpu_us),
            _told(took.most_mib),
        )
    return table


def _told(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in sorted(parts.items()) if value >= 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--resumed", type=int, default=1_000_000, help="rows of the run resumed")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    options = parser.parse_args()
    found, resume_s = list[Took](), 0.0
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        source, large = folder / "rows.jsonl", folder / "large.jsonl"
        for path, rows in ((source, options.rows), (large, options.resumed)):
            with path.open("w") as file:
                file.writelines(f'{{"text": "a short text of number {n}"}}\n' for n in range(rows))
        for kind in ("plain", "annotate"):
            with _fleet(folder / kind, 1) as stack:
                _alone(stack, kind, source, options.rows)  # it warms files, scripts, connections
                found.append(_alone(stack, kind, source, options.rows))
        for workers in options.workers:
            with _fleet(folder / f"with-{workers}", workers) as stack:
                found.append(_run(stack, source, options.rows, workers))
        if options.resumed:
            with _fleet(folder / "resumed", 1) as stack:
                resume_s, took = _resumed(stack, large, options.resumed)
                found.append(took)
    console = Console()
    console.width = max(console.width, 160)
    console.print(_table(found))
    if options.resumed:
        console.print(f"Killed half way, it answered rows again after {resume_s:.1f} s.")


if __name__ == "__main__":
    main()
