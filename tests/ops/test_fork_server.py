from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from wherry.ops.child import Child
from wherry.ops.fork_server import ForkServer
from wherry.ops.services import worker_command
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")

#: Imported by a server, it says at each worker's end what that one was.
WITNESS = """
import atexit, os, random, sys
import numpy

@atexit.register
def tell():
    print("drew", random.random(), numpy.random.random())
    print("was", os.environ.get("MARK"), os.getsid(0) == os.getpid(), sys.argv[1:])
"""


def worker(*arguments: str) -> list[str]:
    """A command line of a worker's program that ends by itself."""
    return [*worker_command("text", 0)[:4], *arguments]


class Told(list[str]):
    """What was said, by the server or a worker."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def serve(tmp_path: Path, told: Told) -> Iterator[Callable[..., ForkServer]]:
    """Starts a server that imports a module of the given source."""
    servers: list[ForkServer] = []

    def start(source: str = "") -> ForkServer:
        (tmp_path / "preloaded.py").write_text(source)
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        servers.append(ForkServer(["preloaded"], env=env, on_line=told))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def run(server: ForkServer, told: Told, *arguments: str, mark: str = "") -> Child:
    """Run a worker to its end."""
    env = {**os.environ, "MARK": mark}
    child = Child(
        "it", worker(*arguments), env=env, on_line=told, restart=False, spawn=server.spawn
    )
    child.start()
    until(lambda: child.ends)
    child.stop()
    return child


def test_a_fork_is_as_a_process_of_its_own(serve: Callable[..., ForkServer], told: Told) -> None:
    server = serve(WITNESS)
    child = run(server, told, "--version", mark="first")
    assert child.returncode == 0
    run(server, told, "--version", mark="second")
    assert f"was first True {['--version']}" in told
    assert f"was second True {['--version']}" in told
    drawn = [line.split()[1:] for line in told if line.startswith("drew")]
    assert len(drawn) == 2
    assert not set(drawn[0]) & set(drawn[1]), "they draw numbers of their own"
    assert run(server, told, "nonsense").returncode == 2
    assert any("No such command 'nonsense'" in line for line in told)
    other = server.spawn([sys.executable, "-c", "print('not a worker')"], None)
    assert other is not None
    assert other.stdout is not None
    with other.stdout as output:
        assert output.read() == "not a worker\n"
    assert other.wait() == 0


def test_a_fork_sends_nothing_either(
    serve: Callable[..., ForkServer], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that imports ONNX Runtime itself: its environment is not the server's."""
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    server = serve("import atexit, os; atexit.register(lambda: print(os.environ.copy()))")
    assert run(server, told, "--version").returncode == 0
    assert any("'ORT_DISABLE_TELEMETRY': '1'" in line for line in told)


@pytest.mark.parametrize("module", ["numpy", "scipy.linalg", "cv2", "onnxruntime", "pandas"])
def test_what_backends_import_leaves_no_thread(
    module: str, serve: Callable[..., ForkServer], told: Told
) -> None:
    pytest.importorskip(module, reason="an extra brings it")
    server = serve(f"import {module}")
    assert run(server, told, "--version").returncode == 0
    assert not [line for line in told if "start without it" in line]
    assert server.pid is not None


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise ImportError('no such library')", "cannot import preloaded: no such library"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=[60], daemon=True)"
            ".start()",
            "a library that it imported runs threads (python)",
        ),
    ],
)
def test_where_none_can_be_forked_workers_start_by_themselves(
    source: str, why: str, serve: Callable[..., ForkServer], told: Told
) -> None:
    server = serve(source)
    assert run(server, told, "--version").returncode == 0
    until(lambda: f"workers start without it: {why}" in told)
    assert server.pid is None


def test_one_that_is_killed_is_started_again(serve: Callable[..., ForkServer], told: Told) -> None:
    server = serve(WITNESS)
    run(server, told, "--version", mark="first")
    before = server.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    run(server, told, "--version", mark="second")
    assert f"was second True {['--version']}" in told
    assert server.pid not in {None, before}


def test_who_waits_for_a_worker_while_it_is_closed_gets_none(
    serve: Callable[..., ForkServer], told: Told
) -> None:
    server = serve("import time; time.sleep(600)")
    child = Child("it", worker("--version"), env=os.environ, on_line=told, spawn=server.spawn)
    child.start(wait=False)
    assert child.pid is None
    server.close()
    child.stop()
    assert (child.pid, child.ends, server.pid) == (None, 0, None)
    assert told == []


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "models.toml"
    path.write_text(model("embedding") + model("image-classification"))
    return path


def test_workers_of_a_stack_live_on_without_it_and_come_back(models: Path, tmp_path: Path) -> None:
    stack = Stack(models=models, data_dir=tmp_path, flower=False)
    with stack:
        server, text, vision = stack.fork_server, stack.worker("text"), stack.worker("vision")
        assert server is not None
        seen = [pid for pid in (server.pid, text.pid, vision.pid) if pid is not None]
        assert [parent(pid) for pid in seen] == 3 * [os.getpid()]
        shown = Path(f"/proc/{text.pid}/cmdline").read_text().rstrip("\0")
        assert shown.split("\0") == worker_command("text", 0)
        os.kill(seen[0], signal.SIGKILL)
        until(lambda: server.pid is None)
        assert httpx.get(f"{stack.url}/v2/health/ready").status_code == 200
        assert [text.pid, vision.pid] == seen[1:]
        seen.append(stack.kill_worker("text"))
        seen += [until(lambda: text.pid, lambda pid: pid not in {None, seen[1]}) or 0]
        seen += [server.pid or 0]
        assert vision.pid == seen[2]
        assert 0 not in seen
    until(lambda: not any(map(runs, seen)))


@pytest.mark.slow
def test_all_end_with_a_starter_that_is_killed(models: Path, tmp_path: Path) -> None:
    code = (
        "import threading; from pathlib import Path; from wherry.ops.stack import Stack\n"
        f"models, folder = Path({str(models)!r}), Path({str(tmp_path)!r})\n"
        "stack = Stack(models=models, data_dir=folder, flower=False)\n"
        "stack.start()\n"
        "print(stack.fork_server.pid, *(child.pid for child in stack.children.values()))\n"
        "threading.Event().wait()"
    )
    command = [sys.executable, "-u", "-c", code]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    with starter.stdout as output:
        pids = [int(pid) for pid in output.readline().split()]
        starter.kill()
        starter.wait()
    assert len(pids) == 4
    until(lambda: not any(map(runs, pids)))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
