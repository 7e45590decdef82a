"""Celery as its users have it, older too, in an environment without Wherry."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from wherry.ops.stack import Stack

from ..flow import test_celery as held
from ..flow.conftest import MODELS
from ..flow.test_main_path import photo
from ..support.holding import held as holding
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

#: Celery, and the kombu of its day: that of today wants another redis-py than older Celery does.
VERSIONS = {"5.4.0": "5.4.2", "5.5.3": "5.5.4", "5.7.0": "5.7.0"}
NAME = "celery 5.4.0, 5.5.3, 5.7.0"

Fact = dict[str, Any]


@pytest.fixture(scope="module", params=VERSIONS)
def facts(
    request: pytest.FixtureRequest,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Fact]:
    """What the user's app saw, and how its jobs stood in the fleet."""
    folder = tmp_path_factory.mktemp("celery")
    (folder / "photo.png").write_bytes(photo())
    (folder / "models.toml").write_text(MODELS.replace("HOLD", str(folder / "hold")))
    python = environment(
        f"celery-{request.param}",
        f"celery[redis]=={request.param}",
        f"kombu=={VERSIONS[request.param]}",
    )
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack:
        command = [str(python), "-P", str(held.USER), stack.redis_url]
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen([*command, "worker"], stdout=log, stderr=log)
        try:
            with holding(folder / "hold"):
                drive = [*command, "drive", str(folder / "hold"), str(folder / "photo.png")]
                told = subprocess.run(drive, capture_output=True, text=True, timeout=280)
        finally:
            worker.terminate()
            worker.wait(30)
    assert told.returncode == 0, told.stderr + (folder / "worker.log").read_text()
    return {fact["fact"]: fact for fact in map(json.loads, told.stdout.splitlines())}


@pytest.mark.call(NAME, "send_task and AsyncResult: get, status, errors, eta, ignore_result")
def test_results_and_errors_are_as_of_tasks(facts: dict[str, Fact]) -> None:
    assert facts["answer"]["status"] == "SUCCESS"
    assert len(facts["answer"]["answer"]["embeddings"]) == 1
    assert len(facts["photo"]["answer"]["results"][0]) == 2
    assert (facts["later"]["length"], facts["ignored"]["kept"]) == (1, 0)
    for fact, error in (("no model", "ModelNotFound"), ("bad row", "RowError")):
        assert (facts[fact]["error"], facts[fact]["status"]) == (error, "FAILURE")


@pytest.mark.call(NAME, "revoke, expires")
def test_a_revoke_cancels(facts: dict[str, Fact]) -> None:
    for fact in ("revoked", "revoked with another", "revoked before", "expired"):
        assert (facts[fact]["error"], facts[fact]["status"]) == ("TaskRevokedError", "REVOKED")
    assert facts["not revoked"]["length"] == 1


@pytest.mark.call(NAME, "group, chord, chain, link, link_error")
def test_canvas(facts: dict[str, Fact]) -> None:
    held.test_canvas_goes_through_jobs_as_through_tasks(facts)
    held.test_a_job_that_fails_fails_what_waits_for_it(facts)
