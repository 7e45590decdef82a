"""A run whose workers, API, model workers and Redis are killed: its output is an undisturbed one's.

Source, output and store are buckets, so that nothing but Redis is on a disk. The stub counts rows:
what was computed again is what was in no segment when its run worker died.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.jobs import Queue
from wherry.jobs.settings import JobsSettings
from wherry.ops.stack import Stack, runs_name

from ..support.models import model
from ..support.waiting import until
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

#: Rows of the source, run workers and kills of each part: in the full form, and in the short one.
FULL, SHORT = (200_000, 4, 5), (12_000, 3, 2)

SHARD_ROWS, BATCH, DELAY_S, MODEL_WORKERS = 1_500, 32, 0.002, 2

#: Rows that all model workers compute in a second at best.
PACE = MODEL_WORKERS / DELAY_S

#: Some rows are refused.
MODELS = model(
    "busy", "embedding", max_batch_size=BATCH, delay_per_row_s=DELAY_S, reject_on="REJECT"
)

DATA = "s3://wherry/killed"


@pytest.fixture
def size(full: bool) -> tuple[int, int, int]:
    return FULL if full else SHORT


@pytest.fixture
def aws(s3: JobsSettings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where buckets are, for run workers and for annotate in this process."""
    found = {
        "AWS_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def bucket(aws: dict[str, str]) -> Any:
    return boto3.client("s3")


@pytest.fixture
def stack(
    tmp_path: Path, s3: JobsSettings, aws: dict[str, str], size: tuple[int, int, int]
) -> Iterator[Stack]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    env = {
        **aws,
        "WHERRY_STORE_URL": s3.store_url,
        "WHERRY_S3_ENDPOINT_URL": aws["AWS_ENDPOINT_URL"],
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": "secret",
        "WHERRY_LEASE_TTL_S": "3",
        "WHERRY_RUN_SEGMENT_S": "1",
    }
    with Stack(
        models=models,
        data_dir=tmp_path,
        flower=False,
        workers_per_family=MODEL_WORKERS,
        run_workers=size[1],
        env=env,
        appendfsync="always",
    ) as stack:
        yield stack


@pytest.fixture
def source(bucket: Any, size: tuple[int, int, int]) -> str:
    rows = (
        json.dumps(
            {"id": f"r{number}", "text": f"row {number}" + " REJECT" * (number % 1000 == 500)}
        )
        for number in range(size[0])
    )
    bucket.put_object(Bucket="wherry", Key="killed/rows.jsonl", Body="\n".join(rows).encode())
    return f"{DATA}/rows.jsonl"


def test_a_runs_output_is_that_of_an_undisturbed_one(
    stack: Stack,
    source: str,
    bucket: Any,
    tmp_path: Path,
    size: tuple[int, int, int],
    chance: random.Random,
    faults: Ledger,
) -> None:
    count, run_workers, kills = size
    client = Client(stack.url, patience_s=120)
    asked: dict[str, Any] = {"model": "busy", "source": source, "format": "csv"}
    out = f"{DATA}/out/annotations.csv"
    run_id = client.post("/v2/runs", {**asked, "out": out, "shard_rows": SHARD_ROWS})["id"]

    def view() -> dict[str, Any]:
        return client.get(f"/v2/runs/{run_id}")

    parts: list[Callable[[], None]] = [
        lambda: stack.children[runs_name(chance.randrange(run_workers))].signal(signal.SIGKILL),
        lambda: stack.children["api"].signal(signal.SIGKILL),
        lambda: stack.worker("text", chance.randrange(MODEL_WORKERS)).signal(signal.SIGKILL),
        lambda: _kill_redis(stack),
    ]
    orders = parts * kills
    chance.shuffle(orders)
    until(view, lambda run: run["rows"]["read"] > 0)
    for kill in orders:
        time.sleep(chance.uniform(1.0, 2.5) * (1 if kills < 5 else 2))
        assert view()["state"] == "running", "it was over before all was killed: use more rows"
        kill()
    run = until(view, lambda run: run["state"] not in ("running", "merging"), timeout_s=600)
    assert (run["state"], run["error"]) == ("succeeded", None)
    killed = _written(bucket)
    computed = _computed(stack)
    whole = annotate(client, Options(**asked, out=tmp_path / "annotations.csv"))
    again = computed - (_computed(stack) - computed)
    faults.record(
        fault="run workers, API, model workers, Redis killed under a run",
        injected=len(orders),
        jobs=count,
        lost=whole.rows - run["rows"]["total"],
        duplicated=len(killed["annotations.csv"].splitlines())
        - len((tmp_path / "annotations.csv").read_bytes().splitlines()),
    )
    assert run["rows"]["total"] == whole.rows == count
    assert run["rows"]["failed"] == whole.failed == count // 1000
    for name in ("annotations.csv", "annotations.csv.errors.jsonl"):
        assert killed[name] == (tmp_path / name).read_bytes()
    # In flight at a kill: a segment's second of rows, and the jobs that wait, of one run worker;
    # of a model worker the batches that it had in hand.
    most = int(kills * (PACE + 16 * BATCH) + kills * 4 * BATCH)
    print(f"{again} rows were computed again, {most} may")  # noqa: T201 # pytest shows it when asked
    assert again <= most
    client.delete(f"/v2/runs/{run_id}")
    until(lambda: _stored(bucket, run_id), lambda keys: not keys)
    queue = Queue(stack.redis_url)
    assert not queue.redis.keys(f"wherry:run:{run_id}*")
    queue.close()
    client.close()


def _kill_redis(stack: Stack) -> None:
    assert stack.redis is not None
    os.kill(stack.redis.pid, signal.SIGKILL)


def _written(bucket: Any) -> dict[str, bytes]:
    """The output, by its files' names."""
    place = "killed/out/"
    return {
        key.removeprefix(place): bucket.get_object(Bucket="wherry", Key=key)["Body"].read()
        for key in _keys(bucket, place)
    }


def _stored(bucket: Any, run_id: str) -> list[str]:
    """What the fleet's store has of a run."""
    return [key for key in _keys(bucket, "fleet/") if f"run/{run_id}/" in key]


def _keys(bucket: Any, prefix: str) -> list[str]:
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket="wherry", Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _computed(stack: Stack) -> int:
    """Rows that the model has computed, whoever asked, but for batches that were cut off."""
    with Client(stack.url, patience_s=60) as client:
        [stats] = client.get("/v2/models/busy/stats")["model_stats"]
    count: int = stats["inference_count"]
    return count
