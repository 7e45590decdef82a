"""A worker on "another machine": its folder for large bytes is not the API's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.client import Client
from wherry.ops.child import Child
from wherry.ops.services import worker_command
from wherry.ops.stack import Stack
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.models import model
from ..support.waiting import until

MODELS = model("embedding", max_batch_size=4)

PATIENCE_S = 60


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_INLINE_MAX_BYTES": "1000", "WHERRY_LEASE_TTL_S": "3"}
    with Stack(models=models, data_dir=tmp_path / "data", flower=False, env=env) as stack:
        yield stack


@pytest.fixture
def strange(stack: Stack, tmp_path: Path) -> Iterator[Child]:
    """Another worker of the fleet, with a folder of its own."""
    env = {
        **os.environ,
        **stack.env,
        "WHERRY_REDIS_URL": stack.redis_url,
        "WHERRY_MODELS": str(stack.models),
        "WHERRY_STORE_DIR": str(tmp_path / "elsewhere"),
    }
    lines: list[str] = []
    child = Child("strange", worker_command("text", 7), env=env, on_line=lines.append)
    child.start()
    yield child
    child.stop()


@pytest.mark.slow
def test_it_claims_nothing_and_says_why_while_others_go_on(
    stack: Stack, strange: Child, tmp_path: Path
) -> None:
    def states() -> dict[str, str]:
        workers = httpx.get(f"{stack.url}/v2/queues").json()["workers"]
        return {w["state"]: w["reason"] for w in workers if w["alive"]}

    seen = until(states, lambda found: {"ready", "waiting"} <= found.keys())
    assert seen["ready"] == ""
    assert str(tmp_path / "elsewhere") in seen["waiting"]
    assert [line for line in strange.tail if "this worker claims nothing: its blob store" in line]

    large = EmbeddingInput(texts=["x" * 5000])
    with Client(stack.url) as client:
        ids = [client.submit("embedding", large).id for _ in range(40)]
        ended = [client.wait(job_id, PATIENCE_S) for job_id in ids]
        assert {(job.status, job.attempt) for job in ended} == {(JobState.SUCCEEDED, 1)}

        stack.worker("text").stop()
        alone = client.submit("embedding", large).id
        reasons = until(lambda: httpx.get(f"{stack.url}/v2/health/ready").json().get("reasons"))
        assert reasons[0] == "no worker for family 'text'"
        assert "does not serve: its blob store" in reasons[1]
        [model] = httpx.post(f"{stack.url}/v2/repository/index", json={}).json()
        assert model["state"] == "UNAVAILABLE"
        assert "its blob store" in model["reason"]
        assert client.status(alone).status is JobState.QUEUED

        # Somebody mounts the right folder there.
        shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
        (tmp_path / "elsewhere").symlink_to(tmp_path / "data" / "blobs")
        job = client.wait(alone, PATIENCE_S)
        assert (job.status, job.attempt) == (JobState.SUCCEEDED, 1)
        until(lambda: states() == {"ready": ""})
    assert strange.ends == 0
