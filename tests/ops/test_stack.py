from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from wherry.ops.data_folder import FolderInUseError
from wherry.ops.ports import free_port, is_free
from wherry.ops.redis_server import machine_bytes
from wherry.ops.stack import Stack, StackError, StackHaltedError
from wherry.tasks.catalog import CatalogError

from ..support.models import model
from ..support.nursery import Nursery
from ..support.waiting import until

MODELS = model("embedding") + model("image-classification")

PATIENCE_S = 60


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "models.toml"
    path.write_text(MODELS)
    return path


@pytest.fixture(scope="module")
def log() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def stack(
    models: Path, tmp_path_factory: pytest.TempPathFactory, log: list[tuple[str, str]]
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack(models=models, data_dir=folder, log=lambda *line: log.append(line))
    with stack:
        yield stack


def test_every_service_runs_and_says_where(stack: Stack, log: list[tuple[str, str]]) -> None:
    assert set(stack.children) == {"api", "worker-text", "worker-vision", "flower"}
    assert httpx.get(f"{stack.url}/v2/health/ready").status_code == 200
    assert httpx.get(f"{stack.flower_url}/api/workers").status_code in {200, 401}
    assert ("redis", f"ready at {stack.redis_url}") in log
    assert ("api", f"ready at {stack.url}  (page: {stack.url}/docs)") in log
    assert ("flower", f"ready at {stack.flower_url}") in log
    ready = {service for service, line in log if line.startswith("ready")}
    assert ready == {"redis", "api", "worker-text", "worker-vision", "flower"}


def test_a_killed_worker_comes_back(stack: Stack) -> None:
    before = stack.kill_worker("vision")
    until(lambda: stack.worker("vision").pid not in {None, before})
    assert stack.worker("vision").ends == 1
    assert stack.worker("text").ends == 0


def test_a_killed_redis_comes_back_with_its_data(stack: Stack) -> None:
    assert stack.redis is not None
    with redis.Redis.from_url(stack.redis_url) as connection:
        connection.set("test:kept", "yes")
        # What is being synced already may hold back later writes for two seconds.
        assert connection.execute_command("WAITAOF", 1, 0, 10_000)[0] == 1
        before = stack.redis.pid
        os.kill(before, signal.SIGKILL)

        def kept() -> bool:
            assert stack.redis is not None
            try:  # the killed one may answer once more, then none runs for a moment
                return stack.redis.pid != before and connection.get("test:kept") == b"yes"
            except (redis.RedisError, RuntimeError):
                return False

        until(kept)


def test_the_stacks_redis_has_a_limit(stack: Stack) -> None:
    with redis.Redis.from_url(stack.redis_url) as connection:
        seen = connection.config_get("maxmemory", "maxmemory-policy")
    assert seen == {"maxmemory": str(machine_bytes() // 2), "maxmemory-policy": "noeviction"}


def test_a_second_stack_may_not_use_the_same_folder(stack: Stack, models: Path) -> None:
    with (
        pytest.raises(FolderInUseError, match="another stack"),
        Stack(models=models, data_dir=stack.data_dir),
    ):
        pass


def test_a_taken_port_is_named(stack: Stack, models: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(StackError, match=rf"port {stack.port} is taken: --port N"),
        Stack(models=models, data_dir=tmp_path, port=stack.port),
    ):
        pass


def test_missing_models_start_nothing(tmp_path: Path) -> None:
    stack = Stack(models=tmp_path / "none.toml", data_dir=tmp_path)
    with pytest.raises(CatalogError, match=r"none\.toml"), stack:
        pass
    assert stack.children == {}


def test_a_service_that_cannot_start_ends_the_stack(
    tmp_path: Path, models: Path, nursery: Nursery
) -> None:
    stack = Stack(
        models=models, data_dir=tmp_path, flower=False, env={"WHERRY_MAX_ROWS_PER_JOB": "none"}
    )
    said = r"api does not start(.|\n)*MAX_ROWS_PER_JOB"
    with nursery.starts_stacks(), pytest.raises(StackError, match=said), stack:
        pass
    assert all(child.pid is None for child in stack.children.values())
    assert stack.redis is not None
    assert is_free(stack.redis.port)


def test_a_redis_that_does_not_answer_is_named(tmp_path: Path, models: Path) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    with (
        pytest.raises(StackError, match="does not answer") as raised,
        Stack(models=models, data_dir=tmp_path, redis_url=url),
    ):
        pass
    assert "secret" not in str(raised.value)
    assert url.replace("secret", "***") in str(raised.value)


def test_an_unknown_device_is_refused(tmp_path: Path, models: Path) -> None:
    with (
        pytest.raises(StackError, match="device 'tpu'"),
        Stack(models=models, data_dir=tmp_path, device="tpu"),
    ):
        pass


def test_a_stack_that_shall_halt_stops_starting(tmp_path: Path, models: Path) -> None:
    halt = threading.Event()
    halt.set()
    with pytest.raises(StackHaltedError), Stack(models=models, data_dir=tmp_path, halt=halt):
        pass


def test_wherry_up_serves_until_sigterm_and_stops_in_order(tmp_path: Path, models: Path) -> None:
    command = [sys.executable, "-c", "from wherry.ops.cli import main; main()", "up"]
    options = ["--port=0", "--no-flower", f"--models={models}", f"--data-dir={tmp_path}"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output: list[str] = []
    with process.stdout as lines:
        for line in lines:
            output.append(line)
            url = re.search(r"export WHERRY_URL=(\S+)", line)
            if url:
                assert httpx.get(f"{url[1]}/v2/health/ready").status_code == 200
                process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    stopping = re.findall(r"stopping (\S+):", "".join(output))
    assert stopping == ["runs", "api", "worker-text", "worker-vision", "redis"]
    assert output[-1] == "Stopped in order.\n"


@pytest.mark.slow
def test_a_worker_that_was_drained_before_keeps_no_stack_from_starting(
    tmp_path: Path, models: Path
) -> None:
    told: list[tuple[str, str]] = []

    def started(log: Callable[[str, str], None]) -> Stack:
        return Stack(models=models, data_dir=tmp_path, flower=False, run_workers=0, log=log)

    def drain(stack: Stack, *, on: bool) -> str:
        workers = httpx.get(f"{stack.url}/v2/workers").json()["workers"]
        node = next(str(each["node"]) for each in workers if "text" in each["families"])
        verb = "drain" if on else "undrain"
        httpx.post(f"{stack.url}/v2/workers/{node}/{verb}").raise_for_status()
        return node

    with started(lambda *line: None) as stack:
        node = drain(stack, on=True)
    with started(lambda *line: told.append(line)) as stack:
        why = f"{node} is drained by an operator: `wherry undrain {node}` lets it serve again"
        assert ("workers", why) in told
        drain(stack, on=False)
        until(lambda: httpx.get(f"{stack.url}/v2/health/ready").status_code == 200)
