"""The stack with what people put around it: Flower to watch, S3 to hold the bytes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from celery import Celery
from celery.result import AsyncResult

from wherry.client import Client
from wherry.jobs.settings import JobsSettings
from wherry.ops.stack import Stack
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput

from ..support.models import model

MODELS = model("embedding", reject_on="REJECT") + model(
    "slow", "embedding", max_batch_size=1, delay_s=1.0
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, s3: JobsSettings) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("watched")
    models = folder / "models.toml"
    models.write_text(MODELS)
    assert s3.s3_secret_access_key is not None
    env = {
        "WHERRY_STORE_URL": s3.store_url,
        "WHERRY_S3_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "WHERRY_S3_REGION": str(s3.s3_region),
        "WHERRY_S3_ACCESS_KEY_ID": str(s3.s3_access_key_id),
        "WHERRY_S3_SECRET_ACCESS_KEY": s3.s3_secret_access_key.get_secret_value(),
        "WHERRY_INLINE_MAX_BYTES": "1000",
        "FLOWER_UNAUTHENTICATED_API": "true",  # the test reads what the page shows
    }
    with Stack(models=models, data_dir=folder, flower=True, env=env) as stack:
        yield stack


def test_flower_lists_every_job_by_its_id(watched: Stack) -> None:
    tasks = f"{watched.flower_url}/api/tasks"
    with Client(watched.url) as client:
        # Flower hears what is said once it listens: wait until it lists a first job.
        deadline, first = time.monotonic() + 30, list[str]()
        while not _flower(tasks, first):
            assert time.monotonic() < deadline, "Flower lists no job"
            first.append(client.submit("embedding", EmbeddingInput(texts=["hello"])).id)
        good = [client.submit("embedding", EmbeddingInput(texts=[f"{n}"])).id for n in range(20)]
        bad = client.submit("embedding", EmbeddingInput(texts=["REJECT"])).id
        for job_id in (*good, bad):
            client.wait(job_id, 30)
    seen: dict[str, Any] = {}
    while len(seen) < 21 and time.monotonic() < deadline + 30:
        seen = _flower(tasks, [*good, bad])
    assert {seen[job_id]["state"] for job_id in good} == {"SUCCESS"}
    assert seen[bad]["state"] == "FAILURE"
    assert "invalid_row" in seen[bad]["exception"]
    assert {task["name"] for task in seen.values()} == {"embedding.embedding"}
    assert all(seen[job_id]["runtime"] > 0 for job_id in good)
    listed = httpx.get(tasks, params={"limit": "1000"}, timeout=5).json().values()
    assert "wherry.run_batch" not in {task["name"] for task in listed}, "jobs, not tickets"


def by_flower(watched: Stack, job_ids: list[str]) -> None:
    for job_id in job_ids:
        answer = httpx.post(f"{watched.flower_url}/api/task/revoke/{job_id}", timeout=5)
        assert answer.status_code == 200, answer.text


def by_flowers_button(watched: Stack, job_ids: list[str]) -> None:
    for job_id in job_ids:
        path = f"{watched.flower_url}/api/task/revoke/{job_id}?terminate=true"
        assert httpx.post(path, timeout=5).status_code == 200


def by_celerys_command(watched: Stack, job_ids: list[str]) -> None:
    """A Celery that knows nothing of Wherry but its broker."""
    command = ["-m", "celery", "-b", watched.redis_url, "control", "--timeout", "5"]
    done = subprocess.run(
        [sys.executable, *command, "revoke", *job_ids], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "jobs canceled: " in done.stdout


def by_celerys_result(watched: Stack, job_ids: list[str]) -> None:
    with Celery("another", broker=watched.redis_url, set_as_current=False) as app:
        for job_id in job_ids:
            AsyncResult(job_id, app=app).revoke()


@pytest.mark.parametrize(
    "revoke", [by_flower, by_flowers_button, by_celerys_command, by_celerys_result]
)
def test_a_revoke_cancels_jobs_that_wait_and_those_that_run(
    watched: Stack, revoke: Callable[[Stack, list[str]], None]
) -> None:
    with Client(watched.url) as client:
        ids = [client.submit("slow", EmbeddingInput(texts=[f"{n}"])).id for n in range(30)]
        deadline = time.monotonic() + 20
        while client.status(ids[0]).status == "queued":
            assert time.monotonic() < deadline, "it does not start"
        revoke(watched, ids[::-1])  # the last first, while those before it hold it back
        ended = [client.wait(job_id, 30) for job_id in ids]
    canceled = [
        [change.status for change in job.history] for job in ended if job.status != "succeeded"
    ]
    assert ended[-1].status == "canceled"
    assert canceled[-1] == ["queued", "canceled"], "it never runs"
    assert ["queued", "running", "canceled"] in canceled
    assert all(history[-1] == "canceled" for history in canceled)


def test_flower_shows_a_job_as_revoked_that_was_canceled_while_it_ran(watched: Stack) -> None:
    tasks, deadline = f"{watched.flower_url}/api/tasks", time.monotonic() + 30
    job_ids: list[str] = []
    with Client(watched.url) as client:
        while True:  # until Flower listens: what it has not heard it does not show
            job_id = client.submit("slow", EmbeddingInput(texts=["x"])).id
            while client.status(job_id).status == "queued":
                assert time.monotonic() < deadline, "it does not start"
            client.cancel(job_id)
            assert client.wait(job_id, 30).status == "canceled"
            job_ids.append(job_id)  # of the last it may hear a moment later
            if seen := _flower(tasks, job_ids):
                break
            assert time.monotonic() < deadline, "Flower lists no job"
    assert {task["state"] for task in seen.values()} == {"REVOKED"}


def _flower(url: str, job_ids: list[str]) -> dict[str, Any]:
    """The jobs that Flower knows the end of."""
    try:
        answer = httpx.get(url, params={"limit": "1000"}, timeout=5)
    except httpx.HTTPError:
        time.sleep(0.2)
        return {}
    listed = answer.json() if answer.status_code == 200 else {}
    ended = {i: t for i, t in listed.items() if i in job_ids and t["state"] in _ENDED}
    if len(ended) < len(job_ids):
        time.sleep(0.2)
    return ended


_ENDED = ("SUCCESS", "FAILURE", "REVOKED")


def test_large_bytes_live_in_s3_and_can_be_fetched_from_there(
    watched: Stack, s3: JobsSettings
) -> None:
    texts = [f"sentence {n} " * 10 for n in range(100)]
    with Client(watched.url) as client:
        job = client.submit("embedding", EmbeddingInput(texts=texts), id="large one")
        output = client.result(job.id, 30)
        assert isinstance(output, EmbeddingOutput)
        assert len(output.embeddings) == 100
    path = f"{watched.url}/v2/jobs/large%20one/result"
    answer = httpx.get(path, params={"redirect": "true"}, follow_redirects=False)
    assert answer.status_code == 307
    assert httpx.get(answer.headers["location"]).status_code == 200
    bucket = boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    kept = [entry["Key"] for entry in bucket.list_objects_v2(Bucket="wherry")["Contents"]]
    bucket.close()
    assert any("result" in key and "large" in key for key in kept)
    assert not any("payload" in key and "large" in key for key in kept), "it ends with the job"
