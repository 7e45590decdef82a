"""Who a worker is, told so that a neighbour on the same machine can see it is gone."""

from __future__ import annotations

import functools
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """A process's start time in clock ticks since boot: tells a pid from its re-use. "" if gone."""
    stat = _read(f"/proc/{pid}/stat")
    # The command, in brackets, may hold spaces; the state and the rest come after the last one.
    fields = stat.rpartition(")")[2].split()
    gone = not fields or fields[0] in {"Z", "X"}
    return "" if gone else fields[19]


@functools.cache
def _machine() -> str:
    """This machine since its boot, and this pid namespace; "" where /proc does not tell."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{_read('/proc/sys/kernel/random/boot_id')}/{namespace}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A worker process. Two incarnations of one Celery node name differ in `id`."""

    id: str
    node: str
    host: str
    pid: int
    started: str
    machine: str

    @classmethod
    def mine(cls, node: str) -> Identity:
        """This process."""
        pid = os.getpid()
        unique = uuid.uuid4().hex[:8]
        return cls(f"{node}#{unique}", node, socket.gethostname(), pid, _started(pid), _machine())

    def info(self) -> dict[str, object]:
        """What the heartbeat carries of it."""
        return dict(asdict(self))


def is_here(info: Mapping[str, Any]) -> bool:
    """Whether a process surely runs on this machine."""
    machine = _machine()
    known = machine and info.get("machine") == machine and info.get("started")
    return bool(known) and _started(int(info["pid"])) == str(info["started"])


def is_gone(info: dict[str, Any]) -> bool:
    """Whether a worker's process has surely ended; False where this machine cannot know."""
    machine = _machine()
    if not machine or info.get("machine") != machine or not info.get("started"):
        return False
    return _started(int(info["pid"])) != str(info["started"])
