"""Jobs by a Celery app that is none of ours: its results, its canvas, its revokes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import JobNotFound
from wherry.protocol.states import JobState

from ..support.holding import held
from .test_main_path import photo

USER = Path(__file__).with_name("celery_user.py")

Fact = dict[str, Any]


@pytest.fixture(scope="module")
def facts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Fact]]:
    """What the user's app saw, while its own worker ran."""
    folder = tmp_path_factory.mktemp("celery")
    (folder / "photo.png").write_bytes(photo())
    command = [sys.executable, "-P", str(USER), stack.redis_url]
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen([*command, "worker"], stdout=log, stderr=log)
        try:
            with held(stack.data_dir / "hold"):
                drive = [*command, "drive", str(stack.data_dir / "hold"), str(folder / "photo.png")]
                told = subprocess.run(drive, capture_output=True, text=True, timeout=280)
            assert told.returncode == 0, told.stderr + (folder / "worker.log").read_text()
            yield {fact["fact"]: fact for fact in map(json.loads, told.stdout.splitlines())}
        finally:
            worker.terminate()
            worker.wait(30)


def test_the_result_is_the_jobs_answer_and_its_id_the_jobs(
    facts: dict[str, Fact], client: Client
) -> None:
    fact = facts["answer"]
    assert fact["status"] == "SUCCESS"
    assert client.status(fact["id"]).status is JobState.SUCCEEDED
    [vector] = fact["answer"]["embeddings"]
    [own] = client.result(fact["id"]).model_dump()["embeddings"]
    assert vector == pytest.approx(own, rel=1e-6), "in JSON as in raw tensors"
    response = facts["response"]["answer"]
    assert (response["id"], response["model_name"]) == (facts["response"]["id"], "embedding")
    assert response["outputs"][0]["data"] == fact["answer"]["embeddings"]
    job = facts["job"]
    assert job["answer"]["result_url"] == f"/v2/jobs/{job['id']}/result"
    assert job["answer"]["priority"] == 3, "Celery's priority is the job's"
    assert facts["named"] == {"fact": "named", "id": "my own id/1", "length": 1}
    assert len(facts["photo"]["answer"]["results"][0]) == 2, "bytes are files"


def test_eta_is_kept_and_ignored_results_are_not(facts: dict[str, Fact], client: Client) -> None:
    assert facts["later"]["length"] == 1
    assert facts["ignored"]["kept"] == 0
    assert client.wait(facts["ignored"]["id"], timeout_s=60).status is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("fact", "error", "text"),
    [
        ("no model", "ModelNotFound", "nowhere"),
        ("odd argument", "InvalidRequest", "unknown argument 'imput'; did you mean 'input'?"),
        ("bad row", "RowError", ""),
        ("pickled", "InvalidRequest", "task_serializer"),
    ],
)
def test_an_error_has_its_type_and_its_text(
    facts: dict[str, Fact], fact: str, error: str, text: str
) -> None:
    found = facts[fact]
    assert (found["error"], found["status"]) == (error, "FAILURE")
    assert text in found["text"]


def test_a_revoke_cancels_the_job(facts: dict[str, Fact], client: Client) -> None:
    for fact in ("revoked", "revoked with another", "revoked before", "expired"):
        assert (facts[fact]["error"], facts[fact]["status"]) == ("TaskRevokedError", "REVOKED")
    first, second, third = facts["revoked"]["ids"]
    for revoked in (first, second):
        with contextlib.suppress(JobNotFound):  # revoked before it was a job
            assert client.status(revoked).status is JobState.CANCELED
    assert client.status(third).status is JobState.SUCCEEDED
    assert facts["not revoked"]["length"] == 1


def test_canvas_goes_through_jobs_as_through_tasks(facts: dict[str, Fact]) -> None:
    assert facts["group"]["length"] == 8
    [size] = set(facts["chord"]["answer"])
    assert (len(facts["chord"]["answer"]), size > 1) == (8, True)
    assert facts["chain"]["length"] == 2
    assert facts["chain"]["parent"] == "SUCCESS"
    assert facts["chord in a chain"]["heard"] == [
        [{"texts": ["a text about 1 vectors", "and another"]}] * 2
    ]
    assert (facts["link"]["heard"], facts["link"]["children"]) == (1, 1)


def test_a_job_that_fails_fails_what_waits_for_it(facts: dict[str, Fact]) -> None:
    assert facts["broken chord"]["error"] == "ChordError"
    assert "ModelNotFound" in facts["broken chord"]["text"]
    assert facts["broken chain"]["error"] == "ModelNotFound"
    [task_id] = facts["errback"]["heard"]
    assert task_id
