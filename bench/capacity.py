"""`make bench-capacity`: what one Redis holds, beside what `wherry capacity` says of it.

Redis' own CPU by part of a job's life (submit, claim, payload, finish, read), by size and by batch;
bytes of a job that waits and of one that has ended, of a connection, of a name that is held. Two
minutes; times are the machine's, and the last line says how fast its core is beside the one that
`ops/capacity.py` was written on.
"""

from __future__ import annotations

import statistics
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.read import result
from wherry.jobs.record import BatchStats
from wherry.jobs.script import script
from wherry.jobs.submit import submit
from wherry.ops import capacity
from wherry.ops.redis_server import RedisServer

_GROUP = Group("text", "sentiment", "1")
_WORKER = "text-0@machine#681d1eb3"

#: Bytes of a payload and of a result, jobs in a batch, jobs in a round.
_CASES = (
    (200, 300, 1, 256),
    (200, 300, 32, 2048),
    (200, 300, 256, 4096),
    (1_000, 1_000, 32, 2048),
    (20_000, 2_000, 32, 1024),
    (20_000, 20_000, 32, 1024),
    (200_000, 100_000, 32, 256),
)
_ROUNDS = 5


@dataclass
class _Case:
    payload: int
    answer: int
    batch: int
    count: int
    us: dict[str, list[float]] = field(default_factory=dict)
    waiting: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    @property
    def load(self) -> capacity.Load:
        return capacity.Load(
            jobs_per_s=1,
            payload_bytes=self.payload,
            result_bytes=self.answer,
            ttl_s=1,
            batch=self.batch,
        )

    def part(self, name: str) -> float:
        return statistics.median(self.us[name])


class _Bench:
    def __init__(self, url: str) -> None:
        self._settings = JobsSettings(
            redis_url=url, max_waiting=10**7, kept_requests_bytes=0, result_ttl_s=3600
        )
        self._queue = Queue(url)
        self._redis: Any = self._queue.redis  # redis-py types an answer as all it may ever be
        self._redis.script_load(script("submit").text)

    def _spent(self) -> float:
        found = self._redis.info("cpu")
        return 1e6 * float(found["used_cpu_user"] + found["used_cpu_sys"])

    def _memory(self) -> int:
        self._redis.delete(_GROUP.queue_key)  # tickets, which Celery would take
        return int(self._redis.info("memory")["used_memory"])

    def _timed(self, case: _Case, part: str, work: Callable[[], Any]) -> Any:
        before = self._spent()
        answer = work()
        case.us[part][-1] += (self._spent() - before) / case.count
        return answer

    def run(self, case: _Case) -> None:
        """One round."""
        for part in ("submit", "claim", "payload", "finish", "read"):
            case.us.setdefault(part, []).append(0.0)
        self._redis.flushall()
        self._submit(_Case(1, 1, 1, 1))
        self._serve(_Case(1, 1, 1, 1, {p: [0.0] for p in case.us}))
        empty = self._memory()
        ids = self._timed(case, "submit", lambda: self._submit(case))
        case.waiting.append((self._memory() - empty) / case.count)
        self._serve(case)
        case.ended.append((self._memory() - empty) / case.count)
        self._timed(case, "read", lambda: [self._queue.run(result(i, self._settings)) for i in ids])

    def _submit(self, case: _Case) -> list[str]:
        ids = [str(uuid.uuid4()) for _ in range(case.count)]
        for first in range(0, case.count, 32):
            with self._redis.pipeline(transaction=False) as pipe:
                for job_id in ids[first : first + 32]:
                    job = NewJob(
                        id=job_id,
                        task="text-classification",
                        group=_GROUP,
                        payload=b"x" * case.payload,
                        header_length=100,
                        fingerprint=uuid.uuid4().hex,
                    )
                    submit(job, self._settings).queue_on(pipe)
                pipe.execute()
        return ids

    def _serve(self, case: _Case) -> None:
        budgets = {_GROUP.model_id: BatchBudget(max_rows=case.batch)}
        call = claim(_GROUP, _WORKER, budgets, self._settings)
        while jobs := self._timed(case, "claim", lambda: self._queue.run(call)).jobs:
            keys = [job.payload_key for job in jobs]
            self._timed(case, "payload", partial(self._queue.values, keys))
            ends = [
                Outcome(
                    id=job.id,
                    attempt=job.attempt,
                    result=b"r" * case.answer,
                    header_length=case.answer,
                )
                for job in jobs
            ]
            stats = BatchStats(
                group=_GROUP, rows=len(jobs), max_rows=case.batch, executions=1, sizes=(len(jobs),)
            )
            done = finish(_WORKER, ends, stats, self._settings)
            self._timed(case, "finish", partial(self._queue.run, done))

    def connection_bytes(self, url: str, count: int = 200) -> float:
        """Bytes of a connection that listens."""
        before = self._memory()
        opened = [redis.Redis.from_url(url).pubsub() for _ in range(count)]
        for each in opened:
            each.subscribe("wherry:changes")
            each.get_message(timeout=1)
        taken = self._memory() - before
        for each in opened:
            each.close()
        return taken / count

    def name_bytes(self, count: int = 2000) -> float:
        """Bytes of a name that is held."""
        before = self._memory()
        for _ in range(count):
            self._redis.set(f"wherry:held:{uuid.uuid4()}", "vision", ex=600)
        return (self._memory() - before) / count

    def close(self) -> None:
        self._queue.close()


def main() -> None:
    """Measure, and print beside what the formula says."""
    cases = [_Case(*case) for case in _CASES]
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        bench = _Bench(server.url)
        for _ in range(_ROUNDS):
            for case in cases:
                bench.run(case)
        connection, name = bench.connection_bytes(server.url), bench.name_bytes()
        bench.close()
    _print(cases, connection, name)


def _print(cases: list[_Case], connection: float, name: float) -> None:
    parts = ("submit", "claim", "payload", "finish", "read")
    table = Table("payload", "result", "batch", *parts, "µs a job", "waits, B", "ended, B")
    ratios = []
    for case in cases:
        said = capacity.cpu_us(case.load)
        took = sum(map(case.part, parts))
        ratios.append(sum(said.values()) / took)
        table.add_row(
            f"{case.payload:,}",
            f"{case.answer:,}",
            str(case.batch),
            *(f"{case.part(part):.0f} ({said[part]:.0f})" for part in parts),
            f"{took:.0f} ({sum(said.values()):.0f})",
            f"{statistics.median(case.waiting):,.0f} ({capacity.waiting_bytes(case.load):,.0f})",
            f"{statistics.median(case.ended):,.0f} ({capacity.ended_bytes(case.load):,.0f})",
        )
    console = Console(width=150)
    console.print("Redis' µs a job, and bytes; in brackets what `wherry capacity` says:")
    console.print(table)
    console.print(
        f"a connection {connection:,.0f} B ({capacity.CONNECTION_BYTES:,}), a name held"
        f" {name:,.0f} B ({capacity.CLAIMED_NAME_BYTES})"
    )
    console.print(f"this core: wherry capacity --speed {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
