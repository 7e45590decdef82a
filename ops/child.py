"""Supervised child processes: their lines are passed on, and they are started again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from signal import SIGKILL, SIGTERM, Signals
from typing import IO, Protocol

from .tether import tethered

#: Called with each line that a child prints.
OnLine = Callable[[str], None]


class Process(Protocol):
    """A child process, as subprocess.Popen is one."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    @property
    def stdout(self) -> IO[str] | None:
        """What it prints."""

    def poll(self) -> int | None:
        """How it ended, minus the signal's number if by one; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        ...

    def kill(self) -> None:
        """Kill -9."""


#: Starts a process by command line and environment; None where none is wanted any more.
Spawn = Callable[[Sequence[str], Mapping[str, str] | None], Process | None]

#: Seconds before the first new start after an end; they double with each end, up to the last.
_FIRST_WAIT_S, _LAST_WAIT_S = 0.5, 10.0

#: Seconds of life after which an end counts as the first again.
_SETTLED_S = 60.0

#: Lines kept to tell why a child ended.
_TAIL_LINES = 20


def popen(
    command: Sequence[str], env: Mapping[str, str] | None, *, stdin: int | None = None
) -> subprocess.Popen[str]:
    """Start a process in a session of its own, on this thread's tether."""
    return subprocess.Popen(
        tethered(command),
        env=env,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the starter, which stops in order
    )


class Child:
    """A process that dies with this one. Its lines go to `on_line`; ended, it is started again.

    New starts wait 0.5 s, doubling to 10 s; a minute of life resets the wait. After a status of
    `hopeless` there is none: it would end so again.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        on_line: OnLine,
        restart: bool = True,
        hopeless: Collection[int] = (),
        spawn: Spawn = popen,
    ) -> None:
        self.name, self.command = name, list(command)
        #: How often it ended without being asked to.
        self.ends = 0
        #: The last lines that it printed.
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        #: Whether it ended with a status after which no new start can do better.
        self.given_up = False
        self._hopeless = frozenset(hopeless)
        self._env = None if env is None else dict(env)
        self._on_line, self._restart, self._start_process = on_line, restart, spawn
        self._stopping, self._spawned = threading.Event(), threading.Event()
        self._spawning = threading.Lock()  # stop() and a new start exclude each other
        self._process: Process | None = None
        self._thread = threading.Thread(target=self._watch, name=f"child-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def returncode(self) -> int | None:
        """How it last ended, minus the signal's number if by one; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def started(self) -> bool:
        """Whether start() was called."""
        return self._thread.ident is not None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and watch over it from a thread; without `wait` it runs only later."""
        self._thread.start()
        if wait:
            self._spawned.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the process, as anyone could: ended by it, it is started again."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):  # the watching thread just buried it
                os.kill(pid, number)

    def begin_stop(self, number: int = SIGTERM) -> None:
        """Ask it to end, for good; do not wait."""
        self._stopping.set()
        with self._spawning:
            self.signal(number)

    def stop(self, timeout_s: float = 30.0) -> None:
        """SIGTERM and wait; SIGKILL when it still runs after some seconds."""
        if not self.started:
            return
        if not self._stopping.is_set():  # a second signal would break off an orderly stop
            self.begin_stop()
        process = self._process
        if process is not None:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._say(f"did not stop within {timeout_s:.0f} s; killed")
                process.kill()
                process.wait()
        self._thread.join(timeout=5)

    def kill(self) -> None:
        """Kill -9, for good."""
        self.begin_stop(SIGKILL)
        self.stop()

    def _watch(self) -> None:
        # Linux takes the forking thread for the parent, so this one forks: it lives as long.
        process, wait_s = self._spawn(), _FIRST_WAIT_S
        self._spawned.set()
        while process is not None:
            began = time.monotonic()
            status = self._follow(process)
            if self._stopping.is_set():
                return
            self.ends += 1
            if status in self._hopeless:
                self.given_up = True
                self._say(f"ended ({describe(status)}): it cannot start as things are")
            if self.given_up or not self._restart:
                return
            wait_s = _FIRST_WAIT_S if time.monotonic() - began > _SETTLED_S else wait_s
            self._say(f"ended ({describe(status)}); starts again in {wait_s:.1f} s")
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, _LAST_WAIT_S)
            process = self._spawn()

    def _spawn(self) -> Process | None:
        """Start the process, unless it shall stop."""
        with self._spawning:
            if self._stopping.is_set():
                return None
            try:
                self._process = self._start_process(self.command, self._env)
            except OSError as error:
                self.ends += 1
                self._say(f"cannot be started: {error}")
                return None
            return self._process

    def _follow(self, process: Process) -> int:
        """Pass its lines on until it ends. Answers its status."""
        assert process.stdout is not None  # it was asked for
        with process.stdout as lines:
            for line in lines:
                self._say(line.rstrip("\n"))
        return process.wait()

    def _say(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)


def describe(status: int) -> str:
    """An exit status in words: `status 1`, `SIGKILL`."""
    return f"status {status}" if status >= 0 else Signals(-status).name
