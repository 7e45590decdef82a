"""The program of tests/support/nursery.py: it imports, then forks, as its standard input asks."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass

from wherry.workers import fork_server

#: Room for the command lines that forks write over this process's.
ROOM = " " * 2000

_PR_SET_PDEATHSIG = 1

#: By what follows `python -P -m`: its module, and the function that is its program, with or without
#: arguments.
PROGRAMS = {
    "wherry.api.server": ("wherry.api.server", "main", False),
    "wherry.ops.cli": ("wherry.ops.cli", "main", False),
    "wherry.runs": ("wherry.runs.__main__", "run", True),
    "wherry.workers": ("wherry.workers.__main__", "run", True),
    "wherry.workers.fork_server": ("wherry.workers.fork_server", "main", True),
}


@dataclass(frozen=True)
class Request:
    """A process that the starter wants; its standard files come beside."""

    program: str
    arguments: list[str]
    env: dict[str, str]
    folder: str


def main(modules: list[str]) -> None:
    """Serve until the starter is gone. In each fork, be what was asked for instead."""
    starter, requests = os.getppid(), socket.socket(fileno=os.dup(0))
    fork_server._move(os.open(os.devnull, os.O_RDONLY), 0)
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # else each fork would write to all of it, and copy what it wrote to
    gc.enable()
    request, files = _serve(requests)
    requests.close()
    _become(request, files, starter)
    _run(request)


def _serve(requests: socket.socket) -> tuple[Request, list[int]]:
    """Fork a process a request, and answer its id. Returns in the forks only."""
    while True:
        said, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        if not said:
            sys.exit()
        pid = fork_server._fork()
        if pid is None:
            return Request(**json.loads(said)), files
        for file in files:
            os.close(file)
        requests.send(str(pid).encode())


def _become(request: Request, files: list[int], starter: int) -> None:
    """Make this fork what a process that was started for the request would be."""
    os.setsid()
    for number, file in enumerate(files):
        fork_server._move(file, number)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        sys.exit("the starter is gone")
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.env)
    fork_server._rename([sys.executable, "-P", "-m", request.program, *request.arguments])
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _run(request: Request) -> None:
    name, function, takes_arguments = PROGRAMS[request.program]
    module = importlib.import_module(name)
    sys.argv = [str(module.__file__), *request.arguments]
    getattr(module, function)(*([request.arguments] if takes_arguments else []))


if __name__ == "__main__":
    main([module for module in sys.argv[1:] if module.strip()])
