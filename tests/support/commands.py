"""`wherry` in processes of its own, each forked from one that has imported what commands do.

A command takes a second of CPU time to import what it runs. Here that is paid once: the process
that is forked has begun no command, read no settings and has no threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from wherry.ops.cli import _ROOMS

_SERVER = """
import gc, importlib, json, os, sys
gc.disable()
for module in sys.argv[1:]:
    importlib.import_module(module)
gc.freeze()  # else each command would write to all of it, and copy what it wrote to
gc.enable()
for line in sys.stdin:
    told = json.loads(line)
    sys.stdout.flush()
    if pid := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        continue
    for number, path in enumerate((os.devnull, told["out"], told["err"])):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv[1:] = told["arguments"]
    break
else:
    sys.exit()
from wherry.ops.cli import main
main()
"""

#: What commands import, before they are chosen among and as they are called.
_IMPORTED = (
    *(f"wherry.{module}" for module, *_ in _ROOMS if module),
    "celery.apps.worker",
    "celery.bin.worker",
    "kombu.transport.redis",
    "wherry.ops.stack",
    "wherry.tasks.registry",
    "wherry.workers.checks",
    "wherry.workers.worker",
)


class Commands:
    """Runs commands, one after another."""

    def __init__(self, server: subprocess.Popen[str], scratch: Path) -> None:
        self._server = server
        self._scratch = scratch

    def run(
        self, folder: Path, *arguments: str, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run `wherry ARGUMENTS` in a folder, with this environment and no other."""
        assert self._server.stdin
        assert self._server.stdout
        out, err = self._scratch / "out", self._scratch / "err"
        for path in (out, err):
            path.write_text("")
        told = {"folder": str(folder), "arguments": arguments, "env": dict(env)}
        told |= {"out": str(out), "err": str(err)}
        self._server.stdin.write(json.dumps(told) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())


@contextlib.contextmanager
def commands(scratch: Path) -> Iterator[Commands]:
    """Start what is forked for each command; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVER, *_IMPORTED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith("WHERRY_")},
        text=True,
    ) as server:
        yield Commands(server, scratch)
