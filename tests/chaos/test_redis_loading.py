"""A Redis that was killed reads what it kept, for as long as that takes; the fleet waits for it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.chaos

MODELS = model("embedding")

ASKED = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}
KEYS = 100_000
PATIENCE_S = 60

#: What Celery prints at each try, every 2 to 10 s.
CELERY_WAITS = re.compile("consumer: |Trying again in |^$")


class SlowServer(RedisServer):
    """Takes a fifth of a millisecond to load a key: 20 s for all, longer than any call is tried."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--key-load-delay", "200"]


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[tuple[str, str]]
) -> Iterator[Stack]:
    monkeypatch.setattr("wherry.ops.stack.RedisServer", SlowServer)
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    with Stack(
        models=models,
        data_dir=tmp_path / "data",
        appendfsync="always",
        log=lambda *line: lines.append(line),
    ) as stack:
        yield stack


def infer(stack: Stack) -> httpx.Response:
    return httpx.post(f"{stack.url}/v2/models/embedding/infer", json=ASKED, timeout=PATIENCE_S)


def loading(connection: Any) -> bool | None:
    try:
        return bool(connection.info("persistence")["loading"])
    except redis.RedisError:
        return None


def wait_for_loading(connection: Any, wanted: bool) -> None:
    until(lambda: loading(connection), lambda seen: seen is wanted, PATIENCE_S)


def test_the_fleet_says_that_redis_loads_and_goes_on_afterwards(
    stack: Stack, lines: list[tuple[str, str]]
) -> None:
    with redis.Redis.from_url(stack.redis_url) as connection:
        assert infer(stack).status_code == 200
        pipe = connection.pipeline(transaction=False)
        for number in range(KEYS):
            pipe.set(f"filler:{number}", "x")
        pipe.execute()
        assert stack.redis is not None
        lines.clear()
        os.kill(stack.redis.pid, signal.SIGKILL)
        wait_for_loading(connection, True)
        ready = httpx.get(f"{stack.url}/v2/health/ready", timeout=PATIENCE_S)
        refused = infer(stack)
        assert loading(connection), "it still loads: what was answered was about that"
        assert (refused.status_code, refused.json()["error_type"]) == (503, "loading")
        assert refused.headers["Retry-After"] == "5"
        assert ready.status_code == 503
        wait_for_loading(connection, False)
        until(lambda: infer(stack).status_code, lambda code: code == 200, PATIENCE_S)
        assert connection.exists("filler:0")
    assert all(child.ends == 0 for child in stack.children.values()), "nobody was restarted"
    said = [line for service, line in lines if service.startswith("worker")]
    assert not [line for line in said if line.startswith("Traceback")]
    ours = [line.partition("] ")[2] for line in said if not CELERY_WAITS.search(line)]
    assert len(ours) == len(set(ours)), "what Celery does not say itself is said once"
