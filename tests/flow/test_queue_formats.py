"""Processes of versions that cannot work on one queue leave it to each other, and say why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import wherry
from wherry.client import Client
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, runs_command, worker_command
from wherry.protocol.errors import Unavailable
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.slow

#: Runs a module as a version would whose queue format is the next one.
NEWER = """
import runpy, sys
from wherry.jobs import queue_format
queue_format.OURS = queue_format.Build("9.9", 2, 2)
module, sys.argv[1:] = sys.argv[1], sys.argv[2:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

TEXT = EmbeddingInput(texts=["a boat"])


class Fleet:
    """Services of this version and of the next, on one Redis."""

    def __init__(self, url: str, folder: Path) -> None:
        (folder / "models.toml").write_text(model("embedding"))
        self.env = {
            **os.environ,
            "WHERRY_REDIS_URL": url,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_DIR": str(folder / "blobs"),
            "WHERRY_RUN_DIR": str(folder / "runs"),
            "WHERRY_LEASE_TTL_S": "5",
        }
        self.children: list[Child] = []
        self.lines: list[str] = []

    def start(self, command: list[str], *, newer: bool = False) -> Child:
        if newer:
            at = command.index("-m")
            command = [*command[:at], "-c", NEWER, *command[at + 1 :]]
        child = Child("service", command, env=self.env, on_line=self.lines.append)
        self.children.append(child)
        child.start()
        return child

    def api(self, *, newer: bool = False) -> tuple[Child, Client]:
        port = free_port()
        child = self.start(api_command(port), newer=newer)
        client = Client(f"http://127.0.0.1:{port}", patience_s=60)
        client.get("/v2/health/live")
        return child, client

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def stop(self) -> None:
        for child in self.children:
            child.begin_stop()
        for child in self.children:
            child.stop(30)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with RedisServer(tmp_path / "redis") as redis:
        fleet = Fleet(redis.url, tmp_path)
        try:
            yield fleet
        finally:
            fleet.stop()


def of_family(client: Client, family: str) -> list[dict[str, Any]]:
    return [each for each in client.workers.list() if family in each["families"]]


def test_newer_processes_leave_an_older_queue_alone(fleet: Fleet) -> None:
    older, client = fleet.api()
    fleet.start(worker_command("text", 0), newer=True)
    fleet.start(runs_command(0), newer=True)
    for family in ("text", "runs"):
        [seen] = until(
            partial(of_family, client, family),
            lambda found: found and found[0]["state"] == "waiting",
            timeout_s=60,
        )
        assert "its queue format 2 (Wherry 9.9) is newer" in seen["reason"]
        assert seen["version"] == "9.9"
    until(lambda: fleet.said("this worker claims nothing: its queue format"))
    until(lambda: fleet.said("this run worker takes no steps: its queue format"))
    job = client.submit("embedding", TEXT)

    _, refused = fleet.api(newer=True)
    refused._patience_s = 0
    with pytest.raises(Unavailable, match="its queue format 2 .* is newer"):
        refused.submit("embedding", TEXT)
    assert client.status(job.id).status == JobState.QUEUED

    fleet.start(worker_command("text", 1))
    assert client.wait(job.id, 60).status == JobState.SUCCEEDED

    # What is older has gone: the fleet is the newer one's.
    client.close()
    older.begin_stop()
    older.stop(30)
    refused._patience_s = 60
    later = refused.submit("embedding", TEXT)
    assert refused.wait(later.id, 60).status == JobState.SUCCEEDED
    states = {each["version"]: each["state"] for each in of_family(refused, "text")}
    assert states == {"9.9": "ready", wherry.__version__: "waiting"}
    assert fleet.said("is older than that of the API")
    refused.close()
