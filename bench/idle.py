"""`make bench-idle`: what keeps a device waiting while jobs do, on a simulated device.

The stub holds the device for some time a row and takes no CPU for it, behind real decoding. The
backlog is there before the worker goes on, and all goes in past HTTP: the figures are the worker's.
With another checkout (`--before ../older`), whose own environment has it installed, its worker and
ours take turns. CPU seconds are read from /proc: they hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from PIL import Image
from rich.console import Console
from rich.table import Table

from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob
from wherry.jobs.keys import Keys
from wherry.jobs.submit import submit
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import worker_command
from wherry.protocol import codec
from wherry.tasks.base import TaskInput
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from . import vit

_TEXTS = Group("text", "simulated", "1")
_PHOTOGRAPHS = Group("vision", "simulated", "1")
_TEXT = "Some text of a usual length, as people write it to have it found again."
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_MODELS = """
[[models]]
name = "simulated"
task = "{task}"
backend = "stub"
max_batch_size = {batch}
parameters = {{ delay_per_row_s = {row_s}{more} }}
"""


@dataclass
class Fleet:
    """A Redis and one worker, which stands still while it is given jobs."""

    group: Group
    batch: int
    row_s: float
    python: str = sys.executable
    env: dict[str, str] = field(default_factory=dict)
    decode: bool = False

    @contextlib.contextmanager
    def running(self) -> Iterator[Fleet]:
        """Start both, and end them."""
        with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
            folder = Path(name)
            task = "embedding" if self.group.family == "text" else "image-classification"
            more = ", decode = true" if self.decode else ""
            models = folder / "models.toml"
            models.write_text(
                _MODELS.format(task=task, batch=self.batch, row_s=self.row_s, more=more)
            )
            with RedisServer(folder / "redis") as server:
                self.jobs = JobsSettings(redis_url=server.url, max_waiting=10**6)
                self.redis = redis.Redis.from_url(server.url)
                env = {
                    "WHERRY_REDIS_URL": server.url,
                    "WHERRY_MODELS": str(models),
                    "WHERRY_STORE_DIR": str(folder / "store"),
                    "WHERRY_LEASE_TTL_S": "600",  # it stands still now and then
                    **self.env,
                }
                whole = worker_command(self.group.family, 0, log_level="error")
                command = [self.python, *whole[1:]]
                self.worker = subprocess.Popen(
                    command, env={**os.environ, **env}, stdout=subprocess.DEVNULL
                )
                try:
                    self.measure([self._example()])  # it is ready, and warm
                    yield self
                finally:
                    self.worker.send_signal(signal.SIGCONT)
                    self.worker.terminate()
                    self.worker.wait()

    def _example(self) -> TaskInput:
        if self.group.family == "text":
            return EmbeddingInput(texts=[_TEXT])
        return ImageClassificationInput(images=vit.photographs(1))

    def measure(self, rows: Sequence[TaskInput]) -> Seen:
        """A job a row, all there before the worker goes on."""
        before, cpu_s = self._counters(), self._cpu_s()
        self.worker.send_signal(signal.SIGSTOP)
        names = asyncio.run(self._submit(rows))
        self.worker.send_signal(signal.SIGCONT)
        while self._counters()["success_count"] - before["success_count"] < len(rows):
            if self.worker.poll() is not None:
                raise SystemExit("the worker has ended")
            time.sleep(0.05)
        after = self._counters()
        gained = {name: value - before.get(name, 0) for name, value in after.items()}
        return Seen(
            rows=len(rows),
            wall_s=self._wall_s(names),
            cpu_s=self._cpu_s() - cpu_s,
            device_s=len(rows) * self.row_s,
            held_s=sum(v for n, v in gained.items() if n.endswith(" compute_us")) / 1e6,
            input_s=sum(v for n, v in gained.items() if n.endswith(" input_us")) / 1e6,
            output_s=sum(v for n, v in gained.items() if n.endswith(" output_us")) / 1e6,
            batches=gained["execution_count"],
        )

    async def _submit(self, rows: Sequence[TaskInput]) -> list[str]:
        queue = AsyncQueue(self.jobs.redis_url)
        names = [f"{time.time_ns()}-{number}" for number in range(len(rows))]
        for start in range(0, len(rows), 256):
            pairs = zip(names[start : start + 256], rows[start : start + 256], strict=True)
            await asyncio.gather(*(queue.run(submit(self._job(*p), self.jobs)) for p in pairs))
        await queue.close()
        return names

    def _job(self, name: str, row: TaskInput) -> NewJob:
        payload, length = codec.encode_request(row.to_inference_request(), binary=True)
        return NewJob(
            id=name,
            task="",
            group=self.group,
            payload=payload,
            header_length=length or len(payload),
            fingerprint="f",
        )

    def _counters(self) -> dict[str, float]:
        key = Keys(self.jobs.key_prefix).stats(self.group.model, self.group.version)
        found: Any = self.redis.hgetall(key)  # typed for async callers as well
        numbers = {name.decode(): float(value) for name, value in found.items()}
        return {"success_count": 0, "execution_count": 0, **numbers}

    def _wall_s(self, names: Sequence[str]) -> float:
        """From the first start to the last end."""
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hmget(Keys(self.jobs.key_prefix).job(name), "started_at", "finished_at")
        times = pipe.execute()
        return (max(int(end) for _, end in times) - min(int(start) for start, _ in times)) / 1000

    def _cpu_s(self) -> float:
        stat = Path(f"/proc/{self.worker.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, stat[11:13])) / _TICKS_PER_S


@dataclass(frozen=True)
class Seen:
    """What a worker did with a backlog."""

    rows: int
    wall_s: float
    cpu_s: float
    #: What the rows take of the device, and how long threads held it: the rest of that they wait
    #: for their turn in Python.
    device_s: float
    held_s: float
    input_s: float
    output_s: float
    batches: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.wall_s

    @property
    def idle(self) -> float:
        """Share of the time that the device computed nothing."""
        return 1 - self.device_s / self.wall_s

    @property
    def row_cpu_us(self) -> float:
        """CPU of the worker's process for a row."""
        return self.cpu_s / self.rows * 1e6


def _texts(options: argparse.Namespace, told: dict[str, Any]) -> None:
    """A backlog of texts: idle, and CPU a row, beside the other checkout's."""
    pythons = {"now": sys.executable}
    if options.before:
        pythons = {"before": str(options.before.resolve() / ".venv/bin/python"), **pythons}
    rows = [EmbeddingInput(texts=[f"{_TEXT} {n}"]) for n in range(options.texts)]
    for row_us in (100, 0):
        with contextlib.ExitStack() as stack:
            fleets = {
                name: stack.enter_context(Fleet(_TEXTS, 64, row_us / 1e6, python).running())
                for name, python in pythons.items()
            }
            for _ in range(options.rounds):
                for name, fleet in fleets.items():
                    told.setdefault(f"texts, {row_us} us a row, {name}", []).append(
                        fleet.measure(rows)
                    )


def _decoding(options: argparse.Namespace, told: dict[str, Any]) -> None:
    """Photographs by one and by two decoding threads; spinning threads tell what could be."""
    small = [ImageClassificationInput(images=[file]) for file in vit.photographs(options.pictures)]
    large = [ImageClassificationInput(images=[_large()])] * options.large
    for name, batch, rows in (("45 kB", 16, small), ("12 Mpx", 8, large)):
        with contextlib.ExitStack() as stack:
            fleets = {
                threads: stack.enter_context(
                    Fleet(
                        _PHOTOGRAPHS,
                        batch,
                        0.0001,
                        env={"WHERRY_DECODE_THREADS": str(threads)},
                        decode=True,
                    ).running()
                )
                for threads in (1, 2)
            }
            for _ in range(options.rounds):
                told.setdefault("spinning, rate of 2 to 1", []).append(_spun(2) / _spun(1))
                for threads, fleet in fleets.items():
                    told.setdefault(f"{name}, {threads} threads", []).append(fleet.measure(rows))


def _spun(processes: int) -> float:
    """Rounds a second of as many processes that share nothing."""
    code = "import hashlib\nd = bytes(1 << 22)\nfor _ in range(100): hashlib.sha256(d).digest()"
    started = time.perf_counter()
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    for child in children:
        child.wait()
    return processes / (time.perf_counter() - started)


def _large() -> bytes:
    with Image.open(io.BytesIO(vit.photographs(1)[0])) as photo:
        buffer = io.BytesIO()
        photo.resize((4000, 3000)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _report(told: dict[str, list[Any]]) -> dict[str, dict[str, float]]:
    """Medians by what was measured."""
    found: dict[str, dict[str, float]] = {}
    for name, each in told.items():
        if isinstance(each[0], Seen):
            found[name] = {
                "rows_per_s": statistics.median(seen.rate for seen in each),
                "idle_percent": 100 * statistics.median(seen.idle for seen in each),
                "cpu_us_per_row": statistics.median(seen.row_cpu_us for seen in each),
                "rows_per_batch": statistics.median(s.rows / s.batches for s in each),
                **{
                    f"{part}_ms_per_batch": 1000
                    * statistics.median(getattr(s, f"{part}_s") / s.batches for s in each)
                    for part in ("input", "held", "output")
                },
            }
        else:
            found[name] = {"ratio": statistics.median(each)}
    for name in ("45 kB", "12 Mpx"):
        pairs = zip(told[f"{name}, 1 threads"], told[f"{name}, 2 threads"], strict=True)
        ratios = [two.rate / one.rate for one, two in pairs]
        could_be = statistics.median(told["spinning, rate of 2 to 1"])
        found[f"{name}, rate of 2 threads to 1"] = {
            "ratio": statistics.median(ratios),
            "of_what_could_be": statistics.median(ratios) / could_be,
        }
    for row_us in (100, 0):
        before = told.get(f"texts, {row_us} us a row, before", [])
        pairs = zip(before, told[f"texts, {row_us} us a row, now"], strict=False)
        ratios = [now.row_cpu_us / old.row_cpu_us for old, now in pairs]
        if ratios:
            found[f"texts, {row_us} us a row, CPU now to before"] = {
                "ratio": statistics.median(ratios)
            }
    return found


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=12_800)
    parser.add_argument("--pictures", type=int, default=640)
    parser.add_argument("--large", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    told: dict[str, list[Any]] = {}
    _decoding(options, told)
    _texts(options, told)
    found = _report(told)
    if options.json:
        print(json.dumps(found, indent=2))  # what it is for
        return
    table = Table("what", "figures")
    for name, figures in found.items():
        table.add_row(name, ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    Console(width=max(Console().width, 150)).print(table)


if __name__ == "__main__":
    main()
