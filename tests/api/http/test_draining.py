"""A server that is told to end, and goes on for as long as a balancer takes to see it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from wherry.ops.ports import free_port
from wherry.ops.services import api_command

from ...support.models import model
from ...support.waiting import until


@pytest.fixture
def api(redis_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    (tmp_path / "models.toml").write_text(model("embedding"))
    port = free_port()
    env = {
        **os.environ,
        "WHERRY_REDIS_URL": redis_url,
        "WHERRY_MODELS": str(tmp_path / "models.toml"),
        "WHERRY_STORE_DIR": str(tmp_path / "blobs"),
        "WHERRY_DRAIN_DELAY_S": "600",
    }
    with (
        subprocess.Popen(api_command(port), env=env, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        try:
            until(lambda: _answers(http))
            yield process, http
        finally:
            process.kill()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/v2/health/live").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_server_that_leaves_says_so_and_still_answers(
    api: tuple[subprocess.Popen[bytes], httpx.Client],
) -> None:
    process, http = api
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a row"]}
    job = http.post("/v2/models/embedding/jobs", json={"inputs": [tensor]}).json()["id"]
    assert "connection" not in http.get(f"/v2/jobs/{job}").headers
    # Nobody works: without a leave-taking these would last.
    with (
        ThreadPoolExecutor(1) as pool,
        http.stream("GET", f"/v2/jobs/{job}/events") as events,
        http.stream("GET", "/v2/jobs:events") as changes,
    ):
        poll = pool.submit(http.get, f"/v2/jobs/{job}?wait=60")
        told, changed = events.iter_text(), changes.iter_text()
        assert "event: queued" in next(told)
        assert "event: jobs" in next(changed)
        process.send_signal(signal.SIGTERM)
        polled = poll.result(30)
        assert "event" not in "".join([*told, *changed]), "both end"
    assert (polled.status_code, polled.json()["status"]) == (202, "queued")
    ready = http.get("/v2/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "reasons": ["the server is draining"]}
    again = http.post("/v2/models/embedding/jobs", json={"inputs": [tensor]})
    assert (again.status_code, again.headers["connection"]) == (202, "close")
    process.send_signal(signal.SIGTERM)
    process.wait(30)
