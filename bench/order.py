"""`make bench-queue`: order, shares and estimates while everybody wants the device at once.

One worker with a simulated model; a bulk run of 100,000 rows, two tenants of weights 3 and 1, and
single jobs at random times. All goes in past HTTP, so that the figures are the queue's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wherry.jobs import AsyncQueue, Group, JobRecord, JobsSettings, NewJob
from wherry.jobs.read import read
from wherry.jobs.submit import submit
from wherry.ops.stack import Stack
from wherry.protocol import codec
from wherry.tasks.text.embedding import EmbeddingInput

_BATCH, _BATCH_S = 32, 0.064
_MODELS = """
[[models]]
name = "simulated"
task = "embedding"
backend = "stub"
max_batch_size = {batch}
parameters = {{ {delay} }}
"""
_BULK = Group("text", "simulated", "1", priority=9)
_SINGLE = Group("text", "simulated", "1", tenant="single")
#: Name and weight of those who share; their jobs are as many, so the lighter one ends later.
_TENANTS = (("heavy", 3.0), ("light", 1.0))


@dataclass
class Mix:
    """What was submitted, and what was told of it at that time."""

    settings: JobsSettings
    queue: AsyncQueue
    random: random.Random
    #: Estimated start by job id, in ms.
    told: dict[str, int] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        request = EmbeddingInput(texts=["some text"]).to_inference_request()
        self._payload, length = codec.encode_request(request, binary=True)
        self._header_length = length or len(self._payload)

    async def add(self, group: Group, count: int, weight: float = 1.0) -> list[str]:
        """Submit jobs of one row each."""
        names = [f"{group.tenant}-{group.priority}-{next(self.numbers)}" for _ in range(count)]
        for start in range(0, count, 1000):
            jobs = (
                NewJob(
                    id=name,
                    task="embedding",
                    group=group,
                    payload=self._payload,
                    header_length=self._header_length,
                    fingerprint="f",
                    weight=weight,
                )
                for name in names[start : start + 1000]
            )
            await asyncio.gather(*(self.queue.run(submit(job, self.settings)) for job in jobs))
        return names

    async def records(self, names: Sequence[str]) -> list[JobRecord]:
        """Some jobs as they stand."""
        found = await self.queue.run(read(names, self.settings))
        return [record for record in found if record]

    async def note(self, names: Sequence[str]) -> None:
        """Write down when these should start."""
        for record in await self.records(names):
            if record.estimated_start_at_ms is not None:
                self.told[record.id] = record.estimated_start_at_ms


async def _run(mix: Mix, bulk: int, seconds: float) -> dict[str, list[str]]:
    names = {"bulk": await mix.add(_BULK, bulk)}
    await asyncio.sleep(3)  # until the pace is known
    names["single beside bulk"] = await _singles(mix, seconds / 2)
    each = int(seconds / _BATCH_S * _BATCH / 2)
    for tenant, weight in _TENANTS:
        group = Group("text", "simulated", "1", tenant=tenant)
        names[tenant] = await mix.add(group, each, weight)
    for tenant in ("bulk", *(tenant for tenant, _ in _TENANTS)):
        head = names[tenant][: each // 2]
        await mix.note(mix.random.sample(head, min(60, len(head))))
    names["single beside all"] = await _singles(mix, seconds)
    await asyncio.sleep(1)
    return names


async def _singles(mix: Mix, seconds: float) -> list[str]:
    """Single jobs at random times, and when each should start."""
    names: list[str] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(mix.random.uniform(0, 0.8))
        [name] = await mix.add(_SINGLE, 1)
        await mix.note([name])
        names.append(name)
    return names


async def _measure(url: str, seed: int, bulk: int, seconds: float, table: Table) -> None:
    settings = JobsSettings(redis_url=url, max_waiting=10 * bulk)
    mix = Mix(settings, AsyncQueue(url), random.Random(seed))
    names = await _run(mix, bulk, seconds)
    _estimates(table, mix, await mix.records(list(mix.told)))
    _shares(table, {t: await mix.records(names[t]) for t, _ in _TENANTS})
    _waits(table, "the bulk run", "<= 2", await mix.records(names["single beside bulk"]))
    _waits(table, "it and both tenants", "", await mix.records(names["single beside all"]))
    await mix.queue.close()


def _estimates(table: Table, mix: Mix, records: Sequence[JobRecord]) -> None:
    """Errors by the wait that came: of those who waited a second or longer, and of the others."""
    errors, short_ms = [], []
    for record in records:
        if record.started_at_ms is None:
            continue
        off_ms = abs(mix.told[record.id] - record.started_at_ms)
        waited_ms = record.started_at_ms - record.created_at_ms
        if waited_ms >= 1000:
            errors.append(off_ms / waited_ms)
        else:
            short_ms.append(off_ms)
    if errors:
        table.add_row(
            f"estimated_start_at, {len(errors)} jobs that waited 1 s or longer",
            f"median relative error {statistics.median(errors):.2f}",
            "",
        )
    if short_ms:
        table.add_row(
            f"estimated_start_at, {len(short_ms)} jobs that waited less",
            f"median error {statistics.median(short_ms):.0f} ms",
            f"a batch takes {_BATCH_S * 1000:.0f} ms",
        )


def _shares(table: Table, records: dict[str, list[JobRecord]]) -> None:
    """Jobs started while both waited, as a ratio."""
    starts = {t: [r.started_at_ms for r in rs if r.started_at_ms] for t, rs in records.items()}
    (heavy, heavy_weight), (light, light_weight) = _TENANTS
    until = max(starts[heavy])
    since = max(r.created_at_ms for rs in records.values() for r in rs)
    counts = {t: sum(since < s <= until for s in found) for t, found in starts.items()}
    table.add_row(
        "jobs started by two tenants while both waited",
        f"{counts[heavy]} : {counts[light]} = {counts[heavy] / max(1, counts[light]):.2f}",
        f"{heavy_weight / light_weight:.2f} by weight",
    )


def _waits(table: Table, beside: str, held: str, records: Sequence[JobRecord]) -> None:
    starts = [r.started_at_ms - r.created_at_ms for r in records if r.started_at_ms]
    ends = [r.finished_at_ms - r.created_at_ms for r in records if r.finished_at_ms]
    for what, times, limit in (("start", starts, held), ("end", ends, "")):
        waits = sorted(ms / (_BATCH_S * 1000) for ms in times)
        table.add_row(
            f"{len(waits)} single jobs beside {beside}, from submit to {what}",
            f"p50 {statistics.median(waits):.2f}, max {waits[-1]:.2f} batch times",
            limit,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.order", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bulk", type=int, default=100_000, metavar="ROWS")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--by-rows", action="store_true", help="a forward takes as long as its rows"
    )
    options = parser.parse_args()
    table = Table("what", "reached", "held against")
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        models = Path(name) / "models.toml"
        by_rows = f"delay_per_row_s = {_BATCH_S / _BATCH}"
        delay = by_rows if options.by_rows else f"delay_s = {_BATCH_S}"
        models.write_text(_MODELS.format(batch=_BATCH, delay=delay))
        with Stack(models=models, data_dir=Path(name), flower=False) as stack:
            assert stack.redis is not None
            url = stack.redis.url
            asyncio.run(_measure(url, options.seed, options.bulk, options.seconds, table))
    console = Console()
    console.width = max(console.width, 110)
    console.print(table)


if __name__ == "__main__":
    main()
