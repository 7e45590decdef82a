"""Two machines on one: network namespaces with a cable between them, and a home each."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

#: The address of each machine, as the page has them.
ADDRESSES = {"one": "192.0.2.1", "two": "192.0.2.2"}

#: What each terminal has: its own /srv with the folder that both share, its host's name.
_ENTER = """\
set -e
hostname {name}
mount -t tmpfs none /srv
mkdir /srv/wherry
mount --bind {shared} /srv/wherry
cd {home}
exec bash --norc --noprofile
"""

#: A shell's answer to the end of a command.
_DONE = "::ended::"


def ip(*words: str) -> None:
    """Run `ip`, which tells why it fails."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)


def require_machines() -> None:
    """Skip where no machines can be made here."""
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install {package}")
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "mount", "-t", "tmpfs", "none", "/srv"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"network namespaces need root with all capabilities: {tried.stderr.strip()}")


class Terminal:
    """A shell on a machine. What it prints is kept."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.lines.append(_DONE)
            self._news.notify_all()

    def type(self, command: str) -> None:
        """Type a command, and do not wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def run(self, command: str, timeout_s: float = 120) -> list[str]:
        """Type a command and wait for its end, which has to be good. Answers what it printed."""
        begin = len(self.lines)
        self.type(f"{command}\necho {_DONE} $?")
        self.wait_for(_DONE, begin=begin, timeout_s=timeout_s)
        printed = self.lines[begin:]
        assert printed[-1] == f"{_DONE} 0", (command, printed)
        return printed[:-1]

    def wait_for(self, text: str, *, begin: int = 0, timeout_s: float = 120) -> None:
        """Wait until a line has the text."""

        def seen() -> bool:
            return any(text in line for line in self.lines[begin:])

        with self._news:
            assert self._news.wait_for(seen, timeout_s), f"no {text!r}: {self.lines[begin:][-40:]}"

    def stop(self) -> None:
        """Ctrl-C for what runs, and the end of the shell."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Hear no more of it, once nothing runs there."""
        self._reader.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Machine:
    """A network namespace and a home."""

    def __init__(self, name: str, space: str, home: Path, shared: Path, path: str) -> None:
        self.name, self.home, self._space = name, home, space
        self._shared, self._path = shared, path
        self._terminals: list[Terminal] = []

    def terminal(self) -> Terminal:
        """Sit down at it."""
        enter = _ENTER.format(name=self.name, shared=self._shared, home=self.home)
        command = ["ip", "netns", "exec", self._space, "unshare", "--mount", "--uts"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WHERRY_")}
        env = {**kept, "HOME": str(self.home), "PATH": self._path, "PYTHONUNBUFFERED": "1"}
        terminal = Terminal([*command, "bash", "-c", enter], env)
        self._terminals.append(terminal)
        return terminal

    def cut(self) -> None:
        """Pull its cable."""
        ip("-n", self._space, "link", "set", "cable", "down")

    def plug(self) -> None:
        """Put the cable back."""
        ip("-n", self._space, "link", "set", "cable", "up")

    def processes(self, words: str) -> list[int]:
        """Those of it whose command line has these words."""
        found = []
        for pid in self._pids():
            with contextlib.suppress(OSError):  # it has just ended
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                found += [pid] if words.encode() in line else []
        return found

    def leave(self) -> None:
        """End all that was begun at its terminals."""
        for terminal in reversed(self._terminals):
            terminal.stop()
        deadline = time.monotonic() + 60
        while (left := self._pids()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:  # all of this namespace are ours
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for terminal in self._terminals:
            terminal.close()
        self._terminals.clear()
        assert not left, f"{len(left)} processes did not end on machine {self.name}"

    def _pids(self) -> list[int]:
        listed = subprocess.run(
            ["ip", "netns", "pids", self._space], capture_output=True, text=True, check=True
        )
        return [int(pid) for pid in listed.stdout.split()]


@contextlib.contextmanager
def two_machines(folder: Path, *, programs: Path | None = None) -> Iterator[dict[str, Machine]]:
    """Machines `one` and `two` with a cable between them, and a folder that both have mounted.

    `programs` has more commands for both.
    """
    mark = uuid.uuid4().hex[:8]
    spaces = {name: f"wherry-{mark}-{name}" for name in ADDRESSES}
    shared, tools = folder / "shared", folder / "tools"
    for each in (shared, tools, *(folder / name for name in ADDRESSES)):
        each.mkdir(parents=True)
    scp = tools / "scp"  # there is no sshd: files go over by hand
    scp.write_text(f'#!/bin/sh\nexec cp "$1" "{folder / "two"}/${{2#*:}}"\n')
    scp.chmod(0o755)
    before = [str(programs)] if programs else []
    path = os.pathsep.join(
        [*before, str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    machines: dict[str, Machine] = {}
    try:
        for space in spaces.values():
            ip("netns", "add", space)
        one, two = spaces.values()
        ip("-n", one, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", two)
        for name, space in spaces.items():
            ip("-n", space, "address", "add", f"{ADDRESSES[name]}/24", "dev", "cable")
            for link in ("lo", "cable"):
                ip("-n", space, "link", "set", link, "up")
            machines[name] = Machine(name, space, folder / name, shared, path)
        yield machines
    finally:
        for machine in machines.values():
            machine.leave()
        for space in spaces.values():
            with contextlib.suppress(subprocess.CalledProcessError):  # it was never made
                ip("netns", "delete", space)
