"""kill -9 in the middle of the work: nothing lost, nothing twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import WherryError
from wherry.protocol.states import JobState
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)

pytestmark = pytest.mark.chaos

MODELS = """
[[models]]
name = "busy"
task = "image-classification"
backend = "stub"
max_batch_size = 16
parameters = { delay_s = 0.05, delay_per_row_s = 0.005, crash_on = "CRASH" }
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_LEASE_TTL_S": "5"}
    with Stack(
        models=models, data_dir=tmp_path, flower=False, workers_per_family=2, env=env
    ) as stack:
        yield stack


def row(number: int) -> ImageClassificationInput:
    return ImageClassificationInput(images=[b"row %d" % number], top_k=1)


def kill(stack: Stack, number: int) -> None:
    stack.worker("vision", number).signal(signal.SIGKILL)


def test_every_job_of_500_has_one_result_within_15_s_of_a_kill(stack: Stack) -> None:
    with Client(stack.url, patience_s=30) as client:
        ids = [client.submit("busy", row(n), id=f"job-{n}").id for n in range(500)]
        while client.get("/v2/queues")["totals"]["succeeded"] < 100:
            time.sleep(0.02)
        kill(stack, 0)
        killed = time.monotonic()
        jobs = [client.wait(job_id, timeout_s=15) for job_id in ids]
        recovered_s = time.monotonic() - killed
        assert {job.status for job in jobs} == {JobState.SUCCEEDED}
        ends = Counter(change.status for job in jobs for change in job.history)
        assert ends[JobState.SUCCEEDED] == 500, "one visible result each"
        assert max(job.attempt for job in jobs) <= 2
        assert recovered_s < 15
        totals = client.get("/v2/queues")["totals"]
        assert (totals["waiting"], totals["running"]) == (0, 0)
        assert totals["requeued"] > 0, "the kill hit jobs in flight"


def test_a_trickle_survives_kills_of_either_worker(stack: Stack) -> None:
    """Stock Celery loses a job per kill just when the workers keep up."""
    with Client(stack.url, patience_s=30) as client:
        ids = []
        for round_ in range(6):
            for n in range(25):
                ids.append(client.submit("busy", row(n), id=f"job-{round_}-{n}").id)
                time.sleep(0.02)
            kill(stack, round_ % 2)
        jobs = [client.wait(job_id, timeout_s=30) for job_id in ids]
        assert {job.status for job in jobs} == {JobState.SUCCEEDED}
        ends = Counter(c.status for job in jobs for c in job.history)
        assert ends[JobState.SUCCEEDED] == len(ids)


def test_a_poison_job_ends_as_a_dead_letter_and_takes_nobody_along(stack: Stack) -> None:
    with Client(stack.url, patience_s=60) as client:
        poison = client.submit("busy", ImageClassificationInput(images=[b"CRASH"]), id="poison")
        ids = [client.submit("busy", row(n)).id for n in range(40)]
        ended = client.wait(poison.id, timeout_s=90)
        assert (ended.status, ended.attempt) == (JobState.FAILED, 3)
        assert ended.error is not None
        assert ended.error.type == "worker_lost"
        for job_id in ids:
            answer = client.result(job_id, timeout_s=60)
            assert isinstance(answer, ImageClassificationOutput)
        with pytest.raises(WherryError, match="died 3 times"):
            client.result(poison.id)


def test_sigterm_finishes_what_runs_and_gives_the_rest_back(stack: Stack) -> None:
    with Client(stack.url, patience_s=30) as client:
        ids = [client.submit("busy", row(n)).id for n in range(200)]
        time.sleep(0.3)
        stack.worker("vision", 0).stop()
        stopped = stack.worker("vision", 0).returncode
        jobs = [client.wait(job_id, timeout_s=30) for job_id in ids]
        assert {job.status for job in jobs} == {JobState.SUCCEEDED}
        assert max(job.attempt for job in jobs) == 1, "a clean stop costs nobody an attempt"
        assert stopped == 0
