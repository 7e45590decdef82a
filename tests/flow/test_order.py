"""Order and backpressure with real workers."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from wherry.client import Client
from wherry.jobs import AsyncQueue, Group, JobsSettings, NewJob
from wherry.jobs.read import read
from wherry.jobs.submit import submit
from wherry.ops.stack import Stack
from wherry.protocol import codec
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.slow

BATCH_S, BULK = 0.25, 100_000
BULK_RUN = Group("vision", "slow", "1", priority=9)
MODELS = model("slow", "image-classification", max_batch_size=32, delay_s=BATCH_S) + model(
    "quick", "image-classification", max_batch_size=8, delay_s=0.02
)


@pytest.fixture
def make_stack(tmp_path: Path) -> Callable[..., Stack]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    return lambda run_workers=0, **env: Stack(
        models=models, data_dir=tmp_path, flower=False, run_workers=run_workers, env=env
    )


async def fill(settings: JobsSettings, count: int) -> None:
    """A bulk run of single rows, put in past HTTP to save time."""
    queue = AsyncQueue(settings.redis_url)
    request = ImageClassificationInput(images=[b"row"]).to_inference_request()
    payload, header_length = codec.encode_request(request, binary=True)
    calls = (
        submit(
            NewJob(
                id=f"bulk-{number}",
                task="image-classification",
                group=BULK_RUN,
                payload=payload,
                header_length=header_length or len(payload),
                fingerprint="f",
            ),
            settings,
        )
        for number in range(count)
    )
    while part := list(itertools.islice(calls, 1000)):
        await asyncio.gather(*map(queue.run, part))
    await queue.close()


async def batches(settings: JobsSettings, count: int) -> list[tuple[int, int]]:
    """When the bulk run's first batches were claimed and finished, in ms."""
    queue = AsyncQueue(settings.redis_url)
    records = await queue.run(read([f"bulk-{number}" for number in range(count)], settings))
    await queue.close()
    return sorted(
        {
            (record.started_at_ms, record.finished_at_ms)
            for record in records
            if record and record.started_at_ms and record.finished_at_ms
        }
    )


def test_a_single_job_starts_within_two_batch_times_of_a_bulk_run(
    make_stack: Callable[..., Stack],
) -> None:
    """Counted in batches, so that a slow machine is as good as a fast one."""
    with make_stack(WHERRY_MAX_WAITING=str(2 * BULK)) as stack, Client(stack.url) as client:
        assert stack.redis is not None
        settings = JobsSettings(redis_url=stack.redis.url, max_waiting=2 * BULK)
        asyncio.run(fill(settings, BULK))
        seeded, singles = random.Random(7), []
        for number in range(12):
            time.sleep(seeded.uniform(0, 2 * BATCH_S))
            job = client.submit("slow", ImageClassificationInput(images=[b"one %d" % number]))
            record = client.get(f"/v2/jobs/{job.id}?wait=20")
            singles.append(
                [ms(record[f"{what}_at"]) for what in ("created", "started", "finished")]
            )
        left = client.get("/v2/queues")["totals"]["waiting"]
        bulk = asyncio.run(batches(settings, BULK - left))
    assert left > BULK / 2, "the bulk run waited all the time"
    claimed_before = [sum(c < at < s for at, _ in bulk) for c, s, _ in singles]
    ended_before = [sum(c < at < f for _, at in bulk) for c, _, f in singles]
    assert max(claimed_before) <= 1, "it is the next to be claimed, but for one that is on its way"
    assert statistics.median(ended_before) <= 2, "that which ran, and one that was ready to run"
    assert max(ended_before) <= 3


def test_a_single_job_starts_within_two_batch_times_of_a_run_on_several_workers(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """Each run worker has its jobs in flight; all of them are in the bulk lane."""
    table = tmp_path / "rows.csv"
    image = base64.b64encode(b"row").decode()
    rows = [f'"data:image/png;base64,{image}",{n}\n' for n in range(8000)]
    table.write_text("image,n\n" + "".join(rows))
    # Their answers are stored late, so that jobs are known for as long as this takes.
    kept = {"WHERRY_RUN_SEGMENT_S": "600", "WHERRY_LEASE_TTL_S": "30"}
    with make_stack(3, **kept) as stack, Client(stack.url) as client:
        asked = {"source": str(table), "model": "slow", "shard_rows": 2000}
        run_id = client.post("/v2/runs", asked)["id"]
        until(lambda: client.get(f"/v2/runs/{run_id}"), lambda run: run["shards"]["running"] == 3)
        until(lambda: client.get("/v2/queues")["totals"]["succeeded"])
        seeded, singles = random.Random(7), []
        for number in range(6):
            time.sleep(seeded.uniform(0, 2 * BATCH_S))
            job = client.submit("slow", ImageClassificationInput(images=[b"one %d" % number]))
            singles.append(times_of(client.get(f"/v2/jobs/{job.id}?wait=20")))
        assert client.get(f"/v2/runs/{run_id}")["state"] == "running", "all the time"
        found = client.get("/v2/jobs?limit=1000")["jobs"]
        client.post(f"/v2/runs/{run_id}/cancel", {})
    bulk = {times_of(job) for job in found if job["id"].startswith("run_") and job["finished_at"]}
    claimed_before = [sum(c < at < s for _, at, _ in bulk) for c, s, _ in singles]
    ended_before = [sum(c < at < f for _, _, at in bulk) for c, _, f in singles]
    assert bulk
    assert max(claimed_before) <= 1
    assert statistics.median(ended_before) <= 2
    assert max(ended_before) <= 3


def times_of(job: dict[str, Any]) -> tuple[int, int, int]:
    """When it was made, begun and ended, in ms."""
    created, started, finished = (
        ms(job[f"{what}_at"]) for what in ("created", "started", "finished")
    )
    return created, started, finished


def ms(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


def test_a_client_ten_times_too_fast_loses_nothing(
    make_stack: Callable[..., Stack],
) -> None:
    with make_stack(WHERRY_MAX_WAITING="16") as stack, Client(stack.url, patience_s=60) as client:
        inputs = (ImageClassificationInput(images=[b"row %d" % n], top_k=1) for n in range(400))
        answers = list(client.map("quick", inputs, in_flight=160))
        totals = client.get("/v2/queues")["totals"]
    assert len(answers) == 400
    assert all(not isinstance(answer, Exception) for answer in answers)
    assert (totals["submitted"], totals["succeeded"], totals["waiting"]) == (400, 400, 0)
