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
from wherry.protocol.states import JobState
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ..support.models import model
from .ledger import Ledger

pytestmark = pytest.mark.chaos

MODELS = model(
    "busy", "image-classification", max_batch_size=16, delay_s=0.05, delay_per_row_s=0.005
)


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


def test_every_job_of_500_has_one_result_within_15_s_of_a_kill(
    stack: Stack, faults: Ledger
) -> None:
    with Client(stack.url, patience_s=30) as client:
        ids = [client.submit("busy", row(n), id=f"job-{n}").id for n in range(500)]
        while client.get("/v2/queues")["totals"]["succeeded"] < 100:
            time.sleep(0.02)
        kill(stack, 0)
        killed = time.monotonic()
        jobs = [client.wait(job_id, timeout_s=15) for job_id in ids]
        recovered_s = time.monotonic() - killed
        ends = Counter(change.status for job in jobs for change in job.history)
        faults.record(
            fault="worker SIGKILL, 500 jobs to their last",
            injected=1,
            jobs=500,
            lost=sum(job.status is not JobState.SUCCEEDED for job in jobs),
            duplicated=ends[JobState.SUCCEEDED] - 500,
            recoveries_s=[recovered_s],
        )
        assert max(job.attempt for job in jobs) <= 2
        assert recovered_s < 15
        totals = client.get("/v2/queues")["totals"]
        assert (totals["waiting"], totals["running"]) == (0, 0)
        assert totals["requeued"] > 0, "the kill hit jobs in flight"


def test_sigterm_finishes_what_runs_and_gives_the_rest_back(stack: Stack, faults: Ledger) -> None:
    with Client(stack.url, patience_s=30) as client:
        ids = [client.submit("busy", row(n)).id for n in range(200)]
        time.sleep(0.3)
        stack.worker("vision", 0).stop()
        stopped = stack.worker("vision", 0).returncode
        jobs = [client.wait(job_id, timeout_s=30) for job_id in ids]
        faults.record(
            fault="worker stopped for good",
            injected=1,
            jobs=200,
            lost=sum(job.status is not JobState.SUCCEEDED for job in jobs),
            duplicated=sum(sum(c.status.terminal for c in job.history) - 1 for job in jobs),
        )
        assert max(job.attempt for job in jobs) == 1, "a clean stop costs nobody an attempt"
        assert stopped == 0
