"""A fleet whose Redis gives each role its own user: docs/hardening.md has these rules."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from wherry.jobs.ticket import ticket
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, flower_command, worker_command

from ..support.models import model
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MODELS = model("image-classification")
PAGE = Path(__file__).parents[2] / "docs" / "hardening.md"
ASK = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]}]}


def rules() -> dict[str, list[str]]:
    """Per role the words of its ACL rule, as the page has them."""
    found = re.findall(r"^user wherry-(\w+) (.*)$", PAGE.read_text(), re.MULTILINE)
    return {role: rule.split() for role, rule in found}


class Fleet:
    """Redis with a user a role, an API, a worker and Flower."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.server, self.folder, self.lines = server, folder, list[str]()
        self.port, self.flower_port = free_port(), free_port()
        (folder / "models.toml").write_text(MODELS)
        self.admin = redis.Redis.from_url(server.url, decode_responses=True)
        for role, words in rules().items():
            secret = [">secret" if word.startswith(">") else word for word in words]
            self.admin.execute_command("ACL", "SETUSER", f"wherry-{role}", "reset", *secret)
        self.children = [
            self._child("api", api_command(self.port)),
            self._child("worker", worker_command("vision", 0)),
            self._child("flower", flower_command(self.flower_port)),
        ]

    def _child(self, role: str, command: list[str]) -> Child:
        env = {
            **os.environ,
            "WHERRY_REDIS_URL": f"redis://wherry-{role}:secret@127.0.0.1:{self.server.port}/0",
            "WHERRY_MODELS": str(self.folder / "models.toml"),
            "WHERRY_INFER_TIMEOUT_S": "15",
            "WHERRY_STORE_DIR": str(self.folder / "blobs"),
        }
        child = Child(role, command, env=env, on_line=self.lines.append)
        child.start()
        return child

    def until(self, path: str, port: int) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        pytest.fail(f"{path} never came: {self.denied()} {self.lines[-20:]}")

    def denied(self) -> list[dict[str, Any]]:
        """What Redis refused."""
        log: Any = self.admin.acl_log()
        return [{k: entry[k] for k in ("username", "reason", "object")} for entry in log]

    def told(self) -> str:
        """What went wrong, in full."""
        return "\n".join([*map(str, self.denied()), *self.lines[-20:]])

    def infer(self) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/v2/models/image-classification/infer"
        return httpx.post(url, json=ASK, timeout=60)

    def stop(self) -> None:
        for child in self.children:
            child.begin_stop()
        for child in self.children:
            child.stop(20)
        self.admin.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("secured")
    with RedisServer(folder / "redis") as server:
        fleet = Fleet(folder, server)
        try:
            fleet.until("/v2/models/image-classification/ready", fleet.port)
            fleet.until("/healthcheck", fleet.flower_port)
            yield fleet
        finally:
            fleet.stop()


def test_each_role_does_its_work_and_is_refused_nothing(fleet: Fleet) -> None:
    assert fleet.infer().status_code == 200, fleet.told()
    for path in ("/v2/queues", "/v2/jobs", "/v2/models/stats", "/v2/health/ready"):
        assert httpx.get(f"http://127.0.0.1:{fleet.port}{path}").status_code == 200
    assert fleet.denied() == []


@pytest.mark.parametrize("role", ["api", "worker", "flower"])
@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "SHUTDOWN", "ACL LIST", "GET other:key"]
)
def test_a_role_has_no_more_rights_than_it_needs(fleet: Fleet, role: str, command: str) -> None:
    url = f"redis://wherry-{role}:secret@127.0.0.1:{fleet.server.port}/0"
    with redis.Redis.from_url(url) as connection, pytest.raises(redis.exceptions.NoPermissionError):
        connection.execute_command(*command.split())
    fleet.admin.acl_log_reset()


def message(body: bytes, kind: str, task: str = "wherry.run_batch") -> str:
    """A Celery message of our own making, with the body and type given."""
    made = json.loads(ticket("vision", "g", "vision"))
    made["body"] = base64.b64encode(body).decode()
    made["content-type"] = kind
    made["content-encoding"] = "binary" if "pickle" in kind or "python" in kind else "utf-8"
    made["headers"] |= {"id": uuid.uuid4().hex, "task": task}
    return json.dumps(made)


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "was here")


EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
FORGED: tuple[Any, ...] = (
    *([[], {}, EMBED], [["vision"], {}, EMBED], [["vision", "x", "y"], {}, EMBED]),
    *([[1, 2], {}, EMBED], [["vision", None], {}, EMBED], [["vision", ""], {}, EMBED]),
    *([["vision", "a|b|c|d|e|f|g|h"], {}, EMBED], [["vision", "\0" * 99], {}, EMBED]),
    *([["vision", "../../x"], {}, EMBED], [["vision", {"a": 1}], {}, EMBED]),
    *([["vision", "x" * 100_000], {}, EMBED], [[], {"family": "vision", "odd": 1}, EMBED]),
    *({}, [], None, 7, "text", [[["vision"]]], [["vision", "g"], [], {}]),
)


def test_pickle_and_yaml_are_refused_and_forged_tickets_do_no_harm(fleet: Fleet) -> None:
    target = fleet.folder / "written"
    bad = pickle.dumps(([Evil(target), "g"], {}, EMBED))
    worker = fleet.children[1]
    before = worker.pid
    for kind in ("application/x-python-serialize", "application/x-yaml", "application/data"):
        fleet.admin.lpush("vision", message(bad, kind))
    for body in FORGED:
        fleet.admin.lpush("vision", message(json.dumps(body).encode(), "application/json"))
    fleet.admin.lpush("vision", message(b"[" * 3000, "application/json"))
    fleet.admin.lpush("vision", message(b"[[],{},{}]", "application/json", task="os.system"))
    until(lambda: not fleet.admin.llen("vision"))
    assert fleet.infer().status_code == 200, fleet.told()
    assert not target.exists()
    assert worker.pid == before, "and was not started again"
