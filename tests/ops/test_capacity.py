"""What one Redis holds, held against a real one: in bytes, never in time."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.record import BatchStats
from wherry.jobs.submit import submit
from wherry.ops import capacity
from wherry.ops.capacity import Load, Machine, fullness, most_jobs_per_s, most_waiting
from wherry.ops.capacity_command import register, size_of

GROUP = Group("text", "sentiment", "1")
WORKER = "text-0@machine#681d1eb3"
LOAD = Load(jobs_per_s=100, payload_bytes=1000, result_bytes=1000, ttl_s=3600)

#: What the formula may be off by: the allocator's blocks.
EXACT = 1 - capacity.ROUNDING, 1 + capacity.ROUNDING


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    return JobsSettings(redis_url=redis_url, kept_requests_bytes=0)


@pytest.fixture
def queue(settings: JobsSettings) -> Iterator[Queue]:
    queue = Queue(settings.redis_url)
    yield queue
    queue.close()


def used(queue: Queue) -> int:
    redis: Any = queue.redis  # redis-py types an answer as all it may ever be
    redis.delete(GROUP.queue_key)
    return int(redis.info("memory")["used_memory"])


def add(queue: Queue, settings: JobsSettings, count: int, size: int) -> None:
    with queue.redis.pipeline(transaction=False) as pipe:
        for _ in range(count):
            job = NewJob(
                id=str(uuid.uuid4()),
                task="text-classification",
                group=GROUP,
                payload=b"x" * size,
                header_length=100,
                fingerprint=uuid.uuid4().hex,
            )
            submit(job, settings).queue_on(pipe)
        pipe.execute()


def serve(queue: Queue, settings: JobsSettings, size: int) -> None:
    budgets = {GROUP.model_id: BatchBudget(max_rows=64)}
    while jobs := queue.run(claim(GROUP, WORKER, budgets, settings)).jobs:
        ends = [
            Outcome(id=job.id, attempt=job.attempt, result=b"r" * size, header_length=size)
            for job in jobs
        ]
        stats = BatchStats(group=GROUP, rows=len(jobs), max_rows=64, executions=1)
        queue.run(finish(WORKER, ends, stats, settings))


@pytest.mark.parametrize(
    ("payload", "result"), [(200, 300), (1_000, 1_000), (4_000, 2_000), (20_000, 20_000)]
)
def test_a_jobs_bytes_are_those_of_a_real_redis(
    queue: Queue, settings: JobsSettings, payload: int, result: int
) -> None:
    count, load = 512, replace(LOAD, payload_bytes=payload, result_bytes=result)
    queue.run(submit(_first(), settings))  # its scripts are there
    serve(queue, settings, result)
    empty = used(queue)
    add(queue, settings, count, payload)
    waiting = (used(queue) - empty) / count
    serve(queue, settings, result)
    ended = (used(queue) - empty) / count
    low, high = EXACT
    assert low * waiting < capacity.waiting_bytes(load) < high * waiting
    assert low * ended < capacity.ended_bytes(load) < high * ended


def _first() -> NewJob:
    return NewJob(
        id="first",
        task="text-classification",
        group=GROUP,
        payload=b"x",
        header_length=1,
        fingerprint="f",
    )


def test_what_lies_in_the_store_takes_a_reference() -> None:
    large = replace(LOAD, payload_bytes=5_000_000, result_bytes=5_000_000)
    assert capacity.waiting_bytes(large) < 1000
    assert fullness(large, Machine()).network_bytes_per_s < 100 * 3000


def test_kept_results_are_what_ends_first() -> None:
    """The load of the page's example: 2,000 jobs/s whose results stay for a day."""
    load = replace(LOAD, jobs_per_s=2000, payload_bytes=20_000, result_bytes=2_000, ttl_s=86_400)
    full = fullness(load, Machine())
    assert full.ends == "memory"
    assert not full.holds
    most = most_jobs_per_s(load, Machine())
    at_the_end = fullness(replace(load, jobs_per_s=most["memory"]), Machine())
    assert at_the_end.memory == pytest.approx(capacity.MOST_MEMORY)


def test_jobs_that_may_wait_fill_what_is_left() -> None:
    most = most_waiting(LOAD, Machine())
    full = fullness(replace(LOAD, waiting=most), Machine())
    assert full.memory == pytest.approx(capacity.MOST_MEMORY, rel=1e-3)
    assert most_waiting(replace(LOAD, jobs_per_s=1e6), Machine()) == 0


def test_fuller_batches_cost_less() -> None:
    alone, full = (sum(capacity.cpu_us(replace(LOAD, batch=n)).values()) for n in (1, 256))
    assert alone > 3 * full


@pytest.mark.parametrize(
    ("text", "size"),
    [("20kB", 20_000), ("20KiB", 20_480), ("2", 2), ("1.5 MB", 1_500_000), ("32GiB", 32 << 30)],
)
def test_sizes_are_read_as_they_are_written(text: str, size: int) -> None:
    assert size_of("--payload", text) == size


def test_the_command_says_what_ends_first() -> None:
    app = typer.Typer()
    register(app)
    asked = ["--jobs-per-s", "2000", "--payload", "20kB", "--result", "2kB", "--ttl", "86400"]
    said = CliRunner().invoke(app, asked).output
    assert re.search(r"its memory runs out first", said)
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert found["ends"] == "memory"
    refused = CliRunner().invoke(app, [*asked, "--memory", "much"])
    assert refused.exit_code == 2
    assert "--memory 'much' is no size" in refused.output
