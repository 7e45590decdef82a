"""`make bench-figures`: two figures of a queue that hardly anybody publishes.

From submit to start, of a job that is alone: what the queue takes before a worker has it, here and
in plain Celery over the same Redis. And what a kill costs a long run: `wherry annotate` of many
short texts is killed half way (kill -9), started again, and held against the run undisturbed.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.text.text_classification import TextClassificationInput

_MODEL, _JOBS = "stub", 200
_MODELS = f"""
[[models]]
name = "{_MODEL}"
task = "text-classification"
backend = "stub"
max_batch_size = 64
"""


def main(rows: int) -> dict[str, float]:
    """Measure both."""
    with tempfile.TemporaryDirectory(prefix="wherry-figures-") as name:
        folder = Path(name)
        (folder / "models.toml").write_text(_MODELS)
        with Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack:
            ours = _starts(stack)
            source = folder / "rows.jsonl"
            with source.open("w") as lines:
                for number in range(rows):
                    line = {"id": f"{number:07}", "text": f"a short text, number {number}"}
                    lines.write(json.dumps(line) + "\n")
            whole = _undisturbed(stack, source, folder / "whole.jsonl")
            until_kill, rest = _killed(stack, source, folder / "killed.jsonl", whole / 2)
            same = (folder / "whole.jsonl").read_bytes() == (folder / "killed.jsonl").read_bytes()
            plain = _plain_starts(stack.redis_url)
    return {
        "submit_to_start_ms": ours,
        "submit_to_start_celery_ms": plain,
        "rows": rows,
        "undisturbed_s": whole,
        "until_kill_s": until_kill,
        "rest_s": rest,
        "ratio": (until_kill + rest) / whole,
        "same_bytes": float(same),
    }


def _starts(stack: Stack) -> float:
    """Median ms from a lone client's call to the worker's claim, by one machine's clock."""
    waits = []
    with Client(stack.url) as client:
        for number in range(_JOBS):
            called = time.time()
            job = client.submit(_MODEL, TextClassificationInput(texts=[f"text {number}"]))
            started = client.wait(job.id).started_at
            assert started is not None
            waits.append((started.timestamp() - called) * 1000)
    return median(waits)


def _plain_starts(redis_url: str) -> float:
    """The same of a Celery task a request, its worker as it comes."""
    code = (
        "import sys, time\n"
        "from celery import Celery\n"
        f"app = Celery('plain', broker={redis_url!r}, backend={redis_url!r})\n"
        "@app.task(name='plain.now')\n"
        "def now(): return time.time()\n"
        "if sys.argv[1] == 'worker':\n"
        "    app.worker_main(['worker', '-P', 'threads', '-c', '3', '--loglevel', 'ERROR'])\n"
        "waits = []\n"
        f"for _ in range({_JOBS}):\n"
        "    called = time.time()\n"
        "    waits.append((now.delay().get(timeout=60, interval=0.005) - called) * 1000)\n"
        "print(sorted(waits)[len(waits) // 2])\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, "worker"])
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, "client"], check=True, capture_output=True, text=True
        )
    finally:
        worker.terminate()
        worker.wait()
    return float(done.stdout)


def _command(stack: Stack, source: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(source), "--json"),
        *("--model", _MODEL, "--out", str(out), "--no-reuse", "--url", stack.url),
    ]


def _undisturbed(stack: Stack, source: Path, out: Path) -> float:
    started = time.perf_counter()
    subprocess.run(_command(stack, source, out), check=True, capture_output=True)
    return time.perf_counter() - started


def _killed(stack: Stack, source: Path, out: Path, after_s: float) -> tuple[float, float]:
    """Seconds of a run until it was killed, and of the one that went on."""
    command, started = _command(stack, source, out), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    killed = time.perf_counter()
    command.remove("--no-reuse")
    subprocess.run(command, check=True, capture_output=True)
    return killed - started, time.perf_counter() - killed


def _print(found: dict[str, float]) -> None:
    table = Table("what", "reached", "held against", "ratio")
    ours, plain = found["submit_to_start_ms"], found["submit_to_start_celery_ms"]
    table.add_row(
        "submit to start, alone, p50",
        f"{ours:.1f} ms",
        f"Celery: {plain:.1f} ms",
        f"{ours / plain:.2f}",
    )
    table.add_row(
        f"{found['rows']:,.0f} texts, killed half way and started again",
        f"{found['until_kill_s']:.0f} + {found['rest_s']:.0f} s",
        f"undisturbed: {found['undisturbed_s']:.0f} s",
        f"{found['ratio']:.2f}",
    )
    Console(width=110).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = main(arguments.rows)
    if arguments.json:
        print(json.dumps(measured))
    else:
        _print(measured)
