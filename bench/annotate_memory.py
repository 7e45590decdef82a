"""`make bench-annotate-memory`: what a long annotation run takes in memory, client and server.

The same run at a twentieth of its rows and at all of them, over the stub, writing COCO; then those
rows, finished by now, once more as Parquet and as JSONL. What grows with the rows is the difference
of the peaks; what a format's packages take is in both.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.client.annotate.prepared import Options, origin_of, sizes
from wherry.ops.stack import Stack
from wherry.tasks.samples import PNG

_MODEL = "object-detection"
_MODELS = f"""
[[models]]
name = "{_MODEL}"
task = "object-detection"
backend = "stub"
max_batch_size = 16
"""

#: The run, then runs that only read and write what it has found.
FORMATS = ("coco-detection", "parquet", "jsonl")

#: Seconds between two looks; the part of all rows that the first run has.
_LOOK_S, _PART = 0.1, 20

#: MB that a client may grow.
CLIENT_TARGET_MB = 50.0

CLIENT, REDIS = "client", "Redis, data of the run"


@dataclass
class Run:
    """What was seen of one run."""

    format: str
    rows: int
    seconds: float = 0.0
    #: Process -> the most MB that were resident; of Redis, the MB that its data grew by.
    peaks: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, mb: float) -> None:
        """Take a sample."""
        self.peaks[name] = max(self.peaks.get(name, 0.0), mb)


def write_source(path: Path, rows: int) -> None:
    """Rows of pictures, each its own: a PNG may be followed by anything."""
    with path.open("w") as lines:
        for number in range(rows):
            picture = base64.b64encode(PNG + b"%d of %d" % (number, rows)).decode()
            lines.write(json.dumps({"id": f"{number:06}.png", "image": picture}) + "\n")


def measure(rows: int, formats: tuple[str, ...] = FORMATS) -> tuple[list[tuple[Run, Run]], str]:
    """The short and the long run of each format, and the window of jobs in flight in words."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        (folder / "models.toml").write_text(_MODELS)
        with (
            Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack,
            Client(stack.url) as client,
        ):
            found = []
            for count in (rows // _PART, rows):
                source = folder / f"{count}.jsonl"
                write_source(source, count)
                found.append([_run(stack, source, form, count) for form in formats])
            options = Options(source=str(source), model=_MODEL, out=folder / "out")
            size = sizes(client, origin_of(client, options))
    told = f"{size.in_flight} jobs of {size.rows} rows in flight at most"
    return list(zip(*found, strict=True)), told


def _run(stack: Stack, source: Path, form: str, rows: int) -> Run:
    command = [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(source), "--json"),
        *("--model", _MODEL, "--out", str(source.with_suffix(".out")), "--format", form),
        *("--url", stack.url),
    ]
    run = Run(form, rows)
    with redis.Redis.from_url(stack.redis_url) as server:
        before, started = _used_mb(server), time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None  # progress goes there, more than a pipe may hold
            threading.Thread(target=process.stderr.read, daemon=True).start()
            while process.poll() is None:
                pids = {name: child.pid for name, child in stack.children.items()}
                for name, pid in {CLIENT: process.pid, **pids}.items():
                    run.note(name, _peak_mb(pid))
                run.note(REDIS, _used_mb(server) - before)
                time.sleep(_LOOK_S)
            told = process.stdout.read()
        run.seconds = time.perf_counter() - started
    summary = json.loads(told)
    assert (summary["rows"], summary["failed"]) == (rows, 0)
    return run


def _peak_mb(pid: int | None) -> float:
    """The most that a process has had in memory; 0 of one that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def _used_mb(server: redis.Redis) -> float:
    return float(server.info("memory")["used_memory"]) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    runs, window = measure(rows)
    peaks = [f"peak MB, {count:,} rows" for count in (rows // _PART, rows)]
    table = Table("format", "what", *peaks, "grown by", "target", caption=window)
    for short, long in runs:
        for name, peak in long.peaks.items():
            target = f"< {CLIENT_TARGET_MB:.0f}" if name == CLIENT else ""
            cells = [short.peaks[name], peak, peak - short.peaks[name]]
            seconds = f"{long.format}, {long.seconds:.0f} s" if name == CLIENT else ""
            table.add_row(seconds, name, *(f"{cell:.1f}" for cell in cells), target)
    Console(width=max(Console().width, 110)).print(table)


if __name__ == "__main__":
    main()
