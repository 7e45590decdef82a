"""A stack that other machines reach: nobody gets in without a secret, and no secret gets out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from wherry.client import Client
from wherry.ops.exposure import Exposure, machine_address
from wherry.ops.ports import free_port
from wherry.ops.stack import Stack, StackError
from wherry.protocol.env_file import read_env
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.models import model

pytestmark = pytest.mark.usefixtures("forked_stacks")


@pytest.fixture(scope="module")
def log() -> list[str]:
    return []


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "models.toml"
    path.write_text(model("embedding") + model("gone", "embedding", backend="onnxruntime"))
    return path


@pytest.fixture(scope="module")
def stack(
    models: Path, tmp_path_factory: pytest.TempPathFactory, log: list[str]
) -> Iterator[Stack]:
    stack = Stack(
        models=models,
        data_dir=tmp_path_factory.mktemp("open"),
        exposure=Exposure("0.0.0.0"),
        redis_port=0,
        log=lambda service, line: log.append(f"{service} {line}"),
    )
    with stack:
        yield stack


@pytest.fixture
def told(stack: Stack) -> dict[str, str]:
    """How commands of this machine reach it."""
    return read_env(stack.fleet_file)


def test_the_api_wants_a_key_and_the_first_is_made(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/v2/jobs").status_code == 401
    assert stack.key_file is not None
    assert stack.key_file.stat().st_mode & 0o777 == 0o600
    with Client(stack.url, api_key=stack.key_file.read_text()) as client:
        job = client.submit("embedding", EmbeddingInput(texts=["x"]))
        assert client.wait(job.id, 60).status == "succeeded"


def test_its_owner_is_told_why_a_model_failed(stack: Stack) -> None:
    [reason] = stack.failed_models.values()
    assert "source" in reason, "and not only that the log says why"


def test_a_key_that_is_none_keeps_nobody_from_the_health(stack: Stack) -> None:
    """So that a start goes well when the key that was made once is revoked."""
    asked = httpx.get(f"{stack.url}/v2/health/ready", headers={"X-API-Key": "wherry_old"})
    assert asked.status_code == 200


def test_other_machines_reach_api_and_redis_at_its_address(
    stack: Stack, told: dict[str, str]
) -> None:
    where = machine_address()
    assert told["WHERRY_JOIN_API_URL"] == f"http://{where}:{stack.port}"
    assert httpx.get(f"http://{where}:{stack.port}/v2/health/live").status_code == 200
    with redis.Redis.from_url(told["WHERRY_JOIN_REDIS_URL"]) as worker:
        assert worker.connection_pool.connection_kwargs["host"] == where
        assert worker.ping()


def test_redis_lets_nobody_in_without_a_password(stack: Stack) -> None:
    assert stack.redis is not None
    for url in (
        f"redis://{machine_address()}:{stack.redis.port}/0",
        f"redis://127.0.0.1:{stack.redis.port}/0",
        f"redis://wherry-worker:guess@127.0.0.1:{stack.redis.port}/0",
    ):
        with redis.Redis.from_url(url) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET *", "SHUTDOWN", "ACL LIST", "CLIENT LIST", "KEYS *"]
)
def test_a_worker_elsewhere_is_not_redis_owner(told: dict[str, str], command: str) -> None:
    with (
        redis.Redis.from_url(told["WHERRY_JOIN_REDIS_URL"]) as worker,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        worker.execute_command(*command.split())


def command_lines() -> list[str]:
    """Of all processes, as anybody on this machine sees them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            found.append(path.read_text(errors="replace"))
    return found


def test_no_secret_stands_in_a_log_or_a_command_line(stack: Stack, log: list[str]) -> None:
    names = ("redis-password", "redis-worker-password", "api-key")
    secrets = [(stack.data_dir / name).read_text().strip() for name in names]
    lines = command_lines()
    assert any("wherry.api.server" in line for line in lines), "of other processes, too"
    assert stack.redis is not None
    lines.append(" ".join(stack.redis.prepare()))  # it writes another over its own
    assert [secret for secret in secrets if any(secret in line for line in [*log, *lines])] == []


def test_flower_stays_on_loopback_without_a_password(stack: Stack, log: list[str]) -> None:
    assert any("WHERRY_FLOWER_AUTH=name:password opens it" in line for line in log)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{machine_address()}:{stack.flower_port}/healthcheck")


def test_runs_of_strangers_read_no_file_of_this_machine(stack: Stack) -> None:
    environment = stack._environment()
    assert "WHERRY_RUN_PLACES" not in environment
    assert environment["WHERRY_REQUIRE_API_KEYS"] == "true"
    closed = Stack(models=stack.models, data_dir=stack.data_dir)
    assert closed._environment()["WHERRY_RUN_PLACES"] == "local"


def test_what_would_be_open_to_everybody_is_refused(models: Path, tmp_path: Path) -> None:
    everybody = Stack(
        models=models,
        data_dir=tmp_path,
        exposure=Exposure("0.0.0.0"),
        redis_port=0,
        redis_password="",
    )
    with pytest.raises(StackError, match="whoever reaches it would own the fleet"), everybody:
        pass
    assert everybody.redis is None


@pytest.mark.slow
def test_a_password_of_ones_own_closes_a_redis_on_loopback(models: Path, tmp_path: Path) -> None:
    port = free_port()
    stack = Stack(
        models=models,
        data_dir=tmp_path,
        redis_port=port,
        redis_password='a"b\\c',
        flower=False,
    )
    stack._folder.acquire()
    try:
        stack._start_redis()
        with redis.Redis(port=port, password='a"b\\c') as owner:
            assert owner.ping()
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        stack.stop()
