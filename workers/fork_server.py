"""The fork server: `python -P -m wherry.workers.fork_server MODULE...`, for CPU workers on Linux.

It imports once what all workers need, seconds of CPU time each otherwise, and forks one for each
request on its standard input, a socket whose other end is ops/fork_server.py. The worker is the
starter's child, not this process's: it lives on without it, and the starter hears how it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..tasks.backends import without_telemetry
from .__main__ import run
from .threads import EXIT_UNUSABLE

#: What every worker imports, whatever its models. Not the app: it reads settings as it is imported.
_ALWAYS = ("celery.apps.worker", "celery.concurrency.thread", f"{__package__}.worker")

#: What keeps libraries from running a thread from their import on: the allocator of pyarrow, which
#: pandas brings.
_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}

_PR_SET_PDEATHSIG = 1

#: Seconds that threads may still be listed which have ended.
_THREADS_END_S = 1.0

#: Bytes of the longest request; longer ones cannot be sent in one piece.
_LONGEST = 1 << 20

#: Where proc(5) says the memory of the command line begins and ends, in /proc/PID/stat, counted
#: from the field after the command's name.
_ARG_START, _ARG_END = 45, 46


class CannotForkError(Exception):
    """A worker forked from this process would not be as one that starts by itself."""


@dataclass(frozen=True)
class WorkerRequest:
    """A worker that the starter wants."""

    #: As `python -P -m wherry.workers` takes them.
    arguments: list[str]
    env: dict[str, str]
    #: File descriptor of what it prints.
    output: int


def main(modules: Sequence[str]) -> NoReturn:
    """Serve until the starter is gone or says no more. In each fork, be that worker instead."""
    starter, requests = os.getppid(), socket.socket(fileno=os.dup(0))
    _move(os.open(os.devnull, os.O_RDONLY), 0)  # else workers would hold the socket, too
    try:
        _import([module for module in modules if module.strip()])
        request = _serve(requests)
    except CannotForkError as error:
        print(f"workers start without it: {error}", flush=True)  # noqa: T201 # who answers is ended
        requests.send(b"0")
        sys.exit(EXIT_UNUSABLE)
    requests.close()
    _become(request, starter)
    run(request.arguments)


def _import(modules: Sequence[str]) -> None:
    """Import for all; what is there then, no worker's garbage collector looks at or writes to."""
    for name, value in _NO_THREADS.items():
        os.environ.setdefault(name, value)
    gc.disable()
    for module in (*_ALWAYS, *modules):
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise CannotForkError(f"cannot import {module}: {error}") from None
    gc.collect()
    gc.freeze()
    gc.enable()


def _serve(requests: socket.socket) -> WorkerRequest:
    """Fork a worker a request, and answer its process id. Returns in the workers only."""
    while True:
        said, fds, _, _ = socket.recv_fds(requests, _LONGEST, 1)
        if not said:
            sys.exit(0)
        request = WorkerRequest(**json.loads(said), output=fds[0])
        pid = _fork()
        if pid is None:
            return request
        os.close(request.output)
        requests.send(str(pid).encode())


def _fork() -> int | None:
    """Fork a grandchild, which the starter adopts. Answers its process id, or None in it."""
    told, tell = os.pipe()
    gate, open_gate = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            pid = os.fork()
        except OSError:
            os._exit(1)
        if pid:
            os.write(tell, str(pid).encode())
            os._exit(0)
        for fd in (told, tell, open_gate):
            os.close(fd)
        if not os.read(gate, 1):
            os._exit(EXIT_UNUSABLE)
        os.close(gate)
        return None
    os.close(tell)
    os.close(gate)
    os.waitpid(between, 0)  # now the starter is the parent
    pid = int(os.read(told, 32) or 0)
    if not pid:
        raise CannotForkError("no more processes can be made")
    _see_no_threads()
    os.write(open_gate, b".")
    os.close(told)
    os.close(open_gate)
    return pid


def _see_no_threads() -> None:
    """Raise CannotForkError when this process has threads: one may have held a lock as it forked,
    which nobody would ever open in the worker. Numpy's end before a fork, by numpy's own doing.
    """
    deadline = time.monotonic() + _THREADS_END_S
    while names := _other_threads():
        if time.monotonic() > deadline:
            raise CannotForkError(f"a library that it imported runs threads ({', '.join(names)})")
        time.sleep(0.001)


def _other_threads() -> list[str]:
    """The system's names of all threads but this one."""
    names = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile
            if int(thread.name) != os.getpid():
                names.append((thread / "comm").read_text().strip())
    return names


def _become(request: WorkerRequest, starter: int) -> None:
    """Make this fork what a process that was started for the request would be."""
    os.setsid()
    os.dup2(request.output, 1)
    _move(request.output, 2)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        sys.exit("the starter is gone")  # it died before the request stood
    os.environ.clear()
    os.environ.update(request.env)
    without_telemetry()  # importing the backends did so, in the environment that was
    sys.argv = [str(Path(__file__).with_name("__main__.py")), *request.arguments]
    _rename([sys.executable, "-P", "-m", str(__package__), *request.arguments])
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # Python's own generator does so by itself


def _rename(line: Sequence[str]) -> None:
    """Write another command line over this process's, for `ps`: as far as it has the room."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    text = "\0".join(line).encode()[: end - start - 1]
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


def _move(fd: int, to: int) -> None:
    os.dup2(fd, to)
    os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1:])
