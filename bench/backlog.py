"""A worker with a backlog on a simulated device: the stub that holds it and takes no CPU for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob
from wherry.jobs.keys import Keys
from wherry.jobs.submit import submit
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import worker_command
from wherry.protocol import codec
from wherry.tasks.base import TaskInput

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
class Backlog:
    """A Redis and one worker, which stands still while it is given jobs such as `example`."""

    group: Group
    example: TaskInput
    batch: int
    row_s: float
    python: str = sys.executable
    env: dict[str, str] = field(default_factory=dict)
    decode: bool = False
    #: The one core that it runs on; None for all.
    core: int | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Backlog]:
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
                if self.core is not None:  # its threads, which are still to come, inherit that
                    os.sched_setaffinity(self.worker.pid, {self.core})
                try:
                    self.measure([self.example])  # it is ready, and warm
                    yield self
                finally:
                    self.worker.send_signal(signal.SIGCONT)
                    self.worker.terminate()
                    self.worker.wait()

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
