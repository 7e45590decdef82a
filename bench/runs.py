"""`make bench-runs`: a data set annotated by the fleet itself, held against one process's annotate.

The model is the stub, so that what is measured is all but the model. CPU of each part is read from
/proc and hardly depends on what else the machine does; rows a second do.
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
    #: MiB that a part held at most.
    most_mib: float

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


def _alone(stack: Stack, source: Path, rows: int) -> Took:
    """`wherry annotate`, one process."""
    before = _cpu()
    done = subprocess.run(
        [sys.executable, _HERE / "bench/bulk_load.py", "annotate", stack.url, "words", source],
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["rows"] == rows
    used = {**_used(before, rows), "client": told["client"] / rows * 1e6}
    return Took("annotate, one process", rows, told["seconds"], None, used, 0.0)


def _run(stack: Stack, source: Path, rows: int, workers: int) -> Took:
    """The same as a run, from its creation to its end."""
    before, client = _cpu(), Client(stack.url)
    started = time.perf_counter()
    run_id = client.post("/v2/runs", {"source": str(source), "model": "words"})["id"]
    _until(client, run_id, lambda run: run["state"] in ("merging", "succeeded", "failed"))
    answered = time.perf_counter()
    run = _until(client, run_id, lambda run: run["state"] in ("succeeded", "failed"))
    ended = time.perf_counter()
    assert run["rows"]["total"] == rows, run
    most = max(_most_mib(stack, number) for number in range(workers))
    client.delete(f"/v2/runs/{run_id}")
    title = f"a run, {workers} run worker{'s' * (workers > 1)}"
    return Took(title, rows, ended - started, ended - answered, _used(before, rows), most)


def _until(client: Client, run_id: str, good: Any) -> dict[str, Any]:
    while not good(run := client.get(f"/v2/runs/{run_id}")):
        time.sleep(_LOOK_S)
    return run


def _most_mib(stack: Stack, number: int) -> float:
    pid = stack.children[runs_name(number)].pid
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _resume_s(stack: Stack, source: Path) -> float:
    """Seconds from the kill of the only run worker until rows are answered again."""
    client = Client(stack.url)
    run_id = client.post("/v2/runs", {"source": str(source), "model": "words"})["id"]
    total = _until(client, run_id, lambda run: run["rows"]["total"])["rows"]["total"]
    before = _until(client, run_id, lambda run: _answered(run) > total / 2)
    stack.children[runs_name()].signal(signal.SIGKILL)
    killed = time.perf_counter()
    known = _answered(client.get(f"/v2/runs/{run_id}"))
    _until(client, run_id, lambda run: _answered(run) > max(known, _answered(before)))
    seconds = time.perf_counter() - killed
    client.post(f"/v2/runs/{run_id}/cancel", {})
    return seconds


def _answered(run: dict[str, Any]) -> int:
    rows = run["rows"]
    return int(rows["answered"] + rows["failed"])


def _table(found: list[Took], resume_s: float, resumed: int) -> Table:
    table = Table(
        "what", "rows", "rows/s", "of it the merge, rows/s", "CPU µs a row", "MiB at most"
    )
    for took in found:
        merge = f"{took.rows / took.merge_s:,.0f}" if took.merge_s else ""
        cpu = ", ".join(f"{name} {us:.0f}" for name, us in sorted(took.cpu_us.items()) if us >= 1)
        table.add_row(
            took.title,
            f"{took.rows:,}",
            f"{took.rows_per_s:,.0f}",
            merge,
            cpu,
            f"{took.most_mib:.0f}" if took.most_mib else "",
        )
    table.add_row(
        "a run goes on after its worker was killed", f"{resumed:,}", "", "", f"{resume_s:.1f} s", ""
    )
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--resumed", type=int, default=1_000_000, help="rows of the run resumed")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    found: list[Took] = []
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        source, large = folder / "rows.jsonl", folder / "large.jsonl"
        for path, rows in ((source, options.rows), (large, options.resumed)):
            with path.open("w") as file:
                file.writelines(f'{{"text": "a short text of number {n}"}}\n' for n in range(rows))
        for workers in options.workers:
            with _fleet(folder / f"with-{workers}", workers) as stack:
                if not found:
                    _alone(stack, source, options.rows)  # it warms files, scripts and connections
                    found.append(_alone(stack, source, options.rows))
                found.append(_run(stack, source, options.rows, workers))
        with _fleet(folder / "resumed", 1) as stack:
            resume_s = _resume_s(stack, large)
    console = Console()
    console.width = max(console.width, 140)
    console.print(_table(found, resume_s, options.resumed))


if __name__ == "__main__":
    main()
