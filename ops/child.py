"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

#: Called with each line that a child prints.
OnLine = Callable[[str], None]

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, however that dies. For preexec_fn."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A supervised process: its lines go to `on_line`, and it is started again when it ends.

    Restarts wait 0.5 s, doubling to 10 s; a minute of life resets the wait.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        on_line: OnLine,
        restart: bool = True,
    ) -> None:
        self.name, self._command, self._env = name, list(command), dict(env)
        self._on_line, self._restart = on_line, restart
        self._stopping = threading.Event()
        self._spawned = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"child-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def returncode(self) -> int | None:
        """How the process ended last; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it, and watch over it from a thread."""
        self._thread.start()
        self._spawned.wait()

    def _spawn(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
            start_new_session=True,  # Ctrl-C is for the stack, which stops its children in order
            preexec_fn=die_with_parent if os.name == "posix" else None,
        )
        self._spawned.set()

    def _run(self) -> None:
        # Linux counts the thread that forks as the parent, so this one forks: it lives as long.
        self._spawn()
        wait_s = 0.5
        while True:
            started, process = time.monotonic(), self._process
            if process is None or process.stdout is None:
                return
            with process.stdout:
                for line in process.stdout:
                    self._on_line(line.rstrip("\n"))
            status = process.wait()
            if self._stopping.is_set() or not self._restart:
                return
            wait_s = 0.5 if time.monotonic() - started > 60 else min(wait_s * 2, 10)
            self._on_line(f"ended with status {status}; starting again in {wait_s:.1f} s")
            if self._stopping.wait(wait_s):
                return
            self._spawn()

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def stop(self, timeout_s: float = 30.0) -> None:
        """SIGTERM, then SIGKILL after some seconds."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._on_line(f"did not stop within {timeout_s:.0f} s; killed")
                process.kill()
                process.wait()
        self._thread.join(timeout=5)
