"""Run a command that ends when its starter does: `python -I -S tether.py STARTER_PID COMMAND...`.

The kernel's parent-death signal has to be asked for in the child. Doing so here, in a program of
its own that then becomes the command, spares the starter a `preexec_fn`: that runs Python between
fork and exec, which may deadlock in a process with threads. Systems without the signal just run
the command; there an orderly stop ends it. Standard library only: it costs some 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` on this process's tether.

    Linux takes the thread that forks for the parent: start it from one that lives on.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _main(starter_pid: int, command: Sequence[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != starter_pid:
            sys.exit("the starter is gone")  # it died before the request stood
    try:
        os.execvp(command[0], list(command))  # noqa: S606 # becoming the command is what this is for
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
