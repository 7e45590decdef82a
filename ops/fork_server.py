"""Workers as forks of one process that has imported what they need: see workers/fork_server.py."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ..workers.device import pin
from .child import Child, OnLine, Process, popen
from .services import fork_server_command, worker_arguments

__all__ = ["ForkServer", "Forked"]

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37

#: Seconds between two looks at a process that shall end.
_LOOK_S = 0.02

#: Held while this process adopts: what it does then is a setting of the whole process.
_ADOPTS = threading.Lock()


class Forked:
    """A child of this process that another one forked, with what `Child` asks of a process."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.stdout = open(output, errors="replace")  # noqa: SIM115 # who reads it closes it
        self._lock = threading.Lock()
        self._status: int | None = None

    def poll(self) -> int | None:
        """How it ended, minus the signal's number if by one; None while it runs."""
        with self._lock:
            if self._status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._status = os.waitstatus_to_exitcode(status) if pid else None
            return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if timeout is None:
            with contextlib.suppress(ChildProcessError):  # another thread has heard of it
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        deadline = time.monotonic() + (timeout or 0)
        while (status := self.poll()) is None:
            if timeout is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(_LOOK_S)
        return status

    def kill(self) -> None:
        """Kill -9."""
        with self._lock:  # no other thread buries it meanwhile
            if self._status is None:
                os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """Starts CPU workers as forks of a process that has imported `modules`. Threads share it.

    A server that has ended is started again for the next worker; where there can be none, workers
    are started as processes of their own. Linux only.
    """

    def __init__(self, modules: Sequence[str], *, env: Mapping[str, str], on_line: OnLine) -> None:
        self._command, self._env, self._on_line = fork_server_command(modules), dict(env), on_line
        pin("cpu", self._env)
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._requests: socket.socket | None = None
        self._usable, self._closed = True, False

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it does not run."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start it, or start it again."""
        if self._child and self._requests:
            self._requests.close()
            self._child.stop()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = Child(
                "fork-server",
                self._command,
                env=self._env,
                on_line=self._on_line,
                restart=False,
                spawn=partial(popen, stdin=theirs.fileno()),
            )
            self._child.start()

    def spawn(self, command: Sequence[str], env: Mapping[str, str] | None) -> Process | None:
        """Start a worker once the server has imported; None when it was closed meanwhile."""
        arguments = worker_arguments(command)
        if arguments is None:  # another program than was imported
            return popen(command, env)
        request = {"arguments": arguments, "env": dict(env or os.environ)}
        with self._lock:
            for _ in range(2):  # once more should the server turn out to be gone
                if self._closed:
                    return None
                if self._usable and self.pid is None:
                    self.start()
                if self._usable and (forked := self._fork(json.dumps(request).encode())):
                    return forked
        return popen(command, env)

    def close(self) -> None:
        """End it, whoever waits for a worker. Workers that run live on."""
        self._closed = True
        if self._requests:
            with contextlib.suppress(OSError):  # it is gone already
                self._requests.shutdown(socket.SHUT_RDWR)
        with self._lock:
            if self._child and self._requests:
                self._child.stop()
                self._requests.close()

    def _fork(self, request: bytes) -> Forked | None:
        """Ask for a worker. Answers None when the server is gone, or says that it makes none."""
        assert self._child is not None, "it was started"
        assert self._requests is not None, "it was started"
        output, theirs = os.pipe()
        try:
            with _adopting():
                socket.send_fds(self._requests, [request], [theirs])
                answer = self._requests.recv(32)
            self._usable = answer != b"0"
            if pid := int(answer or 0):
                forked = Forked(pid, output)
                forked.poll()
                return forked
        except ChildProcessError:  # the system let somebody else adopt it; it has ended itself
            self._usable = False
        except OSError as error:
            if not self._closed:
                self._on_line(f"gone: {error.strerror}")
        finally:
            os.close(theirs)
        os.close(output)
        self._child.stop()
        return None


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Be the parent of processes below whose own is gone."""
    prctl, before = ctypes.CDLL(None).prctl, ctypes.c_int()
    with _ADOPTS:
        prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            yield
        finally:
            prctl(_PR_SET_CHILD_SUBREAPER, before.value)
