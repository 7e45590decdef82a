"""Secrets are planted everywhere, then everything that the fleet writes is searched for them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from wherry.api.access.keys import make, toml_entry
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MODELS = model("embedding", raise_on="RAISE", reject_on="REJECT", crash_on="CRASH")

ACME, ADMIN = make(tenant="acme", scopes=["submit", "read"]), make(scopes=["admin"])
REDIS = "planted-redis-password"
S3 = "planted-s3-secret"
WEBHOOK = base64.b64encode(b"planted webhook secret of 32 b..").decode()
INPUT = "planted input of a job"

#: What may stand nowhere, in any form in which it is used.
SECRETS = {
    "API key": ACME.token.rpartition("_")[2],
    "admin's API key": ADMIN.token.rpartition("_")[2],
    "Redis password": REDIS,
    "S3 secret": S3,
    "webhook secret": WEBHOOK,
}


@dataclass
class Written:
    """What the fleet has said: its log, its Celery events and other messages, its answers."""

    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "\n".join(self.lines)


@dataclass
class Planted:
    """A stack with secrets in all its settings."""

    stack: Stack
    server: RedisServer
    written: Written

    def ask(self, method: str, path: str, key: str = ACME.token, **fields: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **fields.pop("headers", {})}
        answer = httpx.request(method, self.stack.url + path, headers=headers, timeout=90, **fields)
        self.written.answers.append(f"{answer.headers} {answer.text}")
        return answer

    def infer(self, text: str, **fields: Any) -> httpx.Response:
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
        return self.ask("POST", "/v2/models/embedding/infer", json={"inputs": [tensor], **fields})

    def listen(self, connection: redis.Redis) -> Callable[[], None]:
        """Keep every message that Redis passes on; the answer stops it."""
        heard = connection.pubsub()
        heard.psubscribe("*")
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                message = heard.get_message(timeout=0.1)
                if message and message["type"] == "pmessage":
                    self.written.messages.append(_opened(message["data"]))

        thread = threading.Thread(target=run)
        thread.start()

        def end() -> None:
            stop.set()
            thread.join()
            heard.close()

        return end


def _opened(message: bytes) -> bytes:
    """A message as it is, and what kombu has packed into it."""
    try:
        return message + base64.b64decode(json.loads(message)["body"])
    except (ValueError, KeyError, TypeError):
        return message


def lock(server: RedisServer) -> str:
    """Give a server its password; its URL."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("requirepass", REDIS)
    return f"redis://:{REDIS}@127.0.0.1:{server.port}/0"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder: Path = tmp_path_factory.mktemp("planted")
    models, keys = folder / "models.toml", folder / "keys.toml"
    models.write_text(MODELS)
    keys.write_text(toml_entry(ACME.key) + "\n" + toml_entry(ADMIN.key))
    env = {
        "WHERRY_API_KEYS": str(keys),
        "WHERRY_LEASE_TTL_S": "3",
        "WHERRY_INLINE_MAX_BYTES": "2000",
        "WHERRY_STORE_URL": "s3://nowhere/at-all",
        "WHERRY_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",  # nobody is there
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": S3,
        "WHERRY_WEBHOOK_HOSTS": "localhost",
        "WHERRY_WEBHOOK_SECRETS": f"whsec_{WEBHOOK}",
        "WHERRY_API_KEY": ACME.token,
    }
    written = Written()
    with RedisServer(folder / "redis") as server:
        stack = Stack(
            models=models,
            data_dir=folder,
            redis_url=lock(server),
            env=env,
            log_level="info",
            log=lambda service, line: written.lines.append(f"{service}: {line}"),
        )
        with stack:
            yield Planted(stack, server, written)


def test_no_secret_is_written_down(planted: Planted) -> None:
    connection = redis.Redis.from_url(planted.stack.redis_url)
    end = planted.listen(connection)
    _submit_and_fail(planted)
    records = _records(connection)
    end()
    assert any(b"task-failed" in message for message in planted.written.messages)
    assert any(b"acme:" in key for key in records)
    _search("Redis", b"\n".join(key + value for key, value in records.items()))
    _search("messages", b"\n".join(planted.written.messages))
    _lose_redis(planted)
    connection.close()
    _search("log", planted.written.log.encode())
    _search("answers", "\n".join(planted.written.answers).encode())
    _search("processes", _command_lines(planted.stack))


def _submit_and_fail(planted: Planted) -> None:
    """Everything that can go well or wrong with a job."""
    assert planted.infer(INPUT).status_code == 200
    for text, status in (("REJECT", 400), ("RAISE", 500)):
        assert planted.infer(f"{text} {INPUT}").status_code == status
    assert planted.infer(INPUT, parameters={"nonsense": INPUT[:7]}).status_code == 200
    assert planted.infer(f"{INPUT} {'x' * 5000}").status_code == 503  # the store is away
    assert planted.infer(f"CRASH {INPUT}").status_code == 500
    assert planted.ask("GET", "/v2/jobs").status_code == 200
    assert planted.ask("GET", "/v2/queues", ADMIN.token).status_code == 200
    assert planted.ask("GET", "/v2/jobs", f"{ACME.token}x").status_code == 401
    assert planted.ask("GET", f"/v2/jobs/{ACME.key.id}").status_code == 404
    assert planted.ask("POST", "/v2/repository/models/embedding/load").status_code == 403
    assert planted.ask("POST", "/v2/models/embedding/jobs", content=b"{").status_code == 400


def _lose_redis(planted: Planted) -> None:
    """Redis is away, comes back and knows no password, and has it again."""
    planted.server.kill()
    assert planted.infer(INPUT).status_code == 503
    planted.server.start()
    assert planted.infer(INPUT).status_code in (200, 500, 503)
    lock(planted.server)
    until(lambda: planted.infer(INPUT).status_code, lambda code: code == 200)


def _records(connection: Any) -> dict[bytes, bytes]:
    """All that Redis holds, but what jobs were asked."""
    found = {}
    for key in connection.scan_iter("*"):
        kind = connection.type(key)
        if b":pay:" in key:
            continue
        value: Any = {
            b"hash": connection.hgetall,
            b"string": connection.get,
            b"list": lambda name: connection.lrange(name, 0, -1),
            b"set": connection.smembers,
            b"zset": lambda name: connection.zrange(name, 0, -1),
            b"stream": lambda name: connection.xrange(name),
        }[kind](key)
        found[key] = repr(value).encode()
    return found


def _command_lines(stack: Stack) -> bytes:
    pids = [child.pid for child in stack.children.values() if child.pid]
    return b"\n".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)


def _search(where: str, text: bytes) -> None:
    assert len(text) > 100, where
    for name, secret in {**SECRETS, "input": INPUT}.items():
        at = text.find(secret.encode())
        assert at < 0, f"{where}: {name}: ...{text[max(0, at - 300) : at + 100]!r}"


@pytest.mark.parametrize(
    "url", [f"redis://:{REDIS}/x@127.0.0.1:1/0", f"redis://u:{REDIS}@127.0.0.1:1/0"]
)
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "wherry.ops.cli", "up", "--port", "0", "--no-flower"],
        ["-m", "wherry.ops.cli", "keys", "list"],
        ["-m", "celery", "-A", "wherry.workers.app", "report"],
        ["-c", "from wherry.jobs import JobsSettings; print(repr(JobsSettings()))"],
    ],
)
def test_a_redis_that_does_not_answer_is_told_without_its_password(
    command: list[str], url: str, tmp_path: Path
) -> None:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "WHERRY_REDIS_URL": url, "WHERRY_MODELS": str(models)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout + done.stderr
    assert REDIS not in done.stdout + done.stderr
