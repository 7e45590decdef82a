"""Our programs as forks of one process that has imported what they need.

A fleet's processes and commands take a second or two of CPU time each to import what they run.
Here that is paid once a test session. What is forked has begun nothing, read no settings and has
no threads; it is a child of the tests' process, as one that it started itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from wherry.ops.child import Process
from wherry.ops.child import popen as popen_anew
from wherry.ops.cli import _ROOMS
from wherry.ops.fork_server import Forked, _adopting
from wherry.workers.fork_server import _ALWAYS

from .nursery_server import PROGRAMS, ROOM

#: What they import before they read settings, and as they are called.
_IMPORTED = (
    *_ALWAYS,
    *(f"wherry.{module}" for module, *_ in _ROOMS if module),
    "celery.bin.worker",
    "kombu.transport.redis",
    "wherry.runs.__main__",
    "wherry.runs.worker",
    "wherry.api.app",
    "wherry.api.server",
    "uvicorn.main",
    "uvloop",
    "httptools",
    "wherry.ops.stack",
    "wherry.tasks.registry",
    "wherry.workers.checks",
)

#: As the local stack starts its own; Python reads them as it starts.
_AT_START = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
}

#: Variables, by how they begin, that Python or what is imported reads at once.
_READ_AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "OMP_", "OPENBLAS_", "NPY_"),
    *("OTEL_", "PROMETHEUS_", "CELERY_", "KOMBU_"),
)


class Nursery:
    """Starts processes, and what they are forked from before the first. Threads share it."""

    def __init__(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("WHERRY_")}
        self._env = {**env, **_AT_START}
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._requests: socket.socket | None = None

    def close(self) -> None:
        """Fork no more. What was forked lives on."""
        self._closing.close()

    def popen(
        self, command: Sequence[str], env: Mapping[str, str] | None, *, stdin: int | None = None
    ) -> Process:
        """Start a process as `wherry.ops.child.popen` does: any other program of its own accord."""
        env = dict(os.environ if env is None else env)
        if not _is_ours(command) or _at_start(env) != _at_start(self._env):
            return popen_anew(command, env, stdin=stdin)
        output, theirs = os.pipe()
        try:
            with Path(os.devnull).open() as nothing:
                files = (nothing.fileno() if stdin is None else stdin, theirs, theirs)
                pid = self._fork(command, env, Path.cwd(), files)
        finally:
            os.close(theirs)
        return Forked(pid, output)

    @contextlib.contextmanager
    def starts_stacks(self) -> Iterator[None]:
        """Have the processes be forked of stacks that are started meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for starter in ("wherry.ops.stack.popen", "wherry.ops.fork_server.popen"):
                patch.setattr(starter, self.popen)
            yield

    def run(
        self, folder: Path, *arguments: str, env: Mapping[str, str], program: str = "wherry.ops.cli"
    ) -> subprocess.CompletedProcess[str]:
        """Run `wherry ARGUMENTS` in a folder, with this environment and no other, to its end."""
        command = [sys.executable, "-P", "-m", program, *arguments]
        late = _at_start(env).items() - self._env.items()
        assert not late, f"read before the fork, so it tests nothing: {late}"
        with (
            Path(os.devnull).open() as nothing,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
        ):
            files = [file.fileno() for file in (nothing, out, err)]
            _, status = os.waitpid(self._fork(command, env, folder, files), 0)
            code = os.waitstatus_to_exitcode(status)
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(command, code, out.read(), err.read())

    def _fork(
        self, command: Sequence[str], env: Mapping[str, str], folder: Path, files: Sequence[int]
    ) -> int:
        told = {"program": command[3], "arguments": list(command[4:]), "env": dict(env)}
        request = json.dumps({**told, "folder": str(folder)}).encode()
        with self._lock:
            requests = self._requests = self._requests or self._started()
            with _adopting():
                socket.send_fds(requests, [request], files)
                answer = requests.recv(32)
        assert answer, "the nursery has ended, and said why"
        return int(answer)

    def _started(self) -> socket.socket:
        program = Path(__file__).with_name("nursery_server.py")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            server = subprocess.Popen(
                [sys.executable, "-P", str(program), *_IMPORTED, ROOM],
                stdin=theirs.fileno(),
                env=self._env,
                cwd="/",
                start_new_session=True,
            )
        self._closing.enter_context(server)  # waits for its end
        self._closing.enter_context(ours)  # closed before that
        return ours


def _is_ours(command: Sequence[str]) -> bool:
    return list(command[:3]) == [sys.executable, "-P", "-m"] and command[3] in PROGRAMS


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    """What of an environment decides how a program starts and what it imports."""
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_START)}
