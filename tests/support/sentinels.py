"""A Redis that fails over: a primary, its replicas and three sentinels, real ones, as processes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wherry.ops.redis_server import find_binary, free_port

from .waiting import until

MASTER = "mymaster"


class Server:
    """One server, or one sentinel."""

    def __init__(
        self, folder: Path, config: str, *, sentinel: bool = False, password: str = ""
    ) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        self._log, self._file = folder / "log", folder / "server.conf"
        login = f"requirepass {password}\n" if password else ""
        self._file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n{login}{config}")
        self._command = [str(find_binary()), str(self._file)]
        self._command += ["--sentinel"] if sentinel else []
        self._process: subprocess.Popen[bytes] | None = None
        #: Where clients find it.
        self.url = f"redis://:{quote(password, '')}@127.0.0.1:{self.port}/0"
        self.client = redis.Redis(
            port=self.port,
            password=password or None,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=5,
            decode_responses=True,
        )

    def start(self) -> None:
        """Start it, or start it again on what it kept: its configuration too."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait until it has ended."""
        assert self._process is not None
        self._process.wait(30)

    def kill(self) -> None:
        """Kill -9; a stopped one too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        self.client.close()

    @property
    def role(self) -> str:
        found: Any = self.client.execute_command("ROLE")
        return str(found[0])

    def named_port(self) -> int:
        """Where a sentinel says that the primary is."""
        found: Any = self.client.sentinel_get_master_addr_by_name(MASTER)
        return int(found[1])

    def said(self) -> str:
        """Its log."""
        return self._log.read_text()

    def info(self, section: str) -> dict[str, Any]:
        found: Any = self.client.info(section)
        return dict(found)


class FailingOver:
    """A primary, replicas and sentinels. Use it in a `with` block."""

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 1,
        down_after_ms: int = 1000,
        password: str = "",
        sentinel_password: str = "",
    ) -> None:
        basics = (
            "save ''\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n"
            "repl-diskless-sync-delay 0\nloglevel notice\n"
        ) + (f"masterauth {password}\n" if password else "")
        self._password, self._sentinel_password = password, sentinel_password
        self.servers = [
            Server(folder / f"server-{n}", basics, password=password) for n in range(1 + replicas)
        ]
        self._folder, self._down_after_ms = folder, down_after_ms
        self.sentinels: list[Server] = []

    @property
    def url(self) -> str:
        """What Wherry is told of it."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        login = f":{quote(self._password, '')}@" if self._password else ""
        query = f"?sentinel_password={quote(self._sentinel_password, '')}"
        return f"sentinel://{login}{hosts}/{MASTER}/0{query if self._sentinel_password else ''}"

    def start(self) -> None:
        first, *others = self.servers
        first.start()
        for each in others:
            each.start()
            each.client.replicaof("127.0.0.1", str(first.port))
            each.client.config_rewrite()
        until(self.in_step)
        config = (
            f"sentinel monitor {MASTER} 127.0.0.1 {first.port} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {self._down_after_ms}\n"
            f"sentinel failover-timeout {MASTER} {2 * self._down_after_ms}\n"
        )
        if self._password:
            config += f"sentinel auth-pass {MASTER} {self._password}\n"
        if self._sentinel_password:
            config += f"sentinel sentinel-pass {self._sentinel_password}\n"
        self.sentinels = [
            Server(
                self._folder / f"sentinel-{n}",
                config,
                sentinel=True,
                password=self._sentinel_password,
            )
            for n in range(3)
        ]
        for each in self.sentinels:
            each.start()
        until(self._acquainted)

    def _acquainted(self) -> bool:
        """Whether all know of all, and are connected: who is not yet is not asked for its vote."""
        for each in self.sentinels:
            states: Any = each.client.sentinel_masters()
            known: Any = each.client.sentinel_sentinels(MASTER)
            if len(known) != len(self.sentinels) - 1 or any(
                one["is_disconnected"] for one in known
            ):
                return False
            if states[MASTER]["num-slaves"] != len(self.servers) - 1:
                return False
        return True

    @property
    def primary(self) -> Server:
        """The server that the sentinels name."""
        port = self.sentinels[0].named_port()
        return next(each for each in self.servers if each.port == port)

    def in_step(self) -> bool:
        """Whether every server but one is a replica of that, and has all of it."""
        with contextlib.suppress(redis.RedisError):
            infos = [each.info("replication") for each in self.servers]
            primary = [info for info in infos if info["role"] == "master"]
            others = [info for info in infos if info["role"] == "slave"]
            return len(primary) == 1 and all(
                info["master_link_status"] == "up"
                and info["slave_repl_offset"] >= primary[0]["master_repl_offset"]
                for info in others
            )
        return False

    def promoted(self, before: Server, timeout_s: float = 60) -> Server:
        """The server that takes another's place, once all sentinels name it and it takes writes."""

        def turned() -> bool:
            for sentinel in self.sentinels:
                with contextlib.suppress(redis.RedisError):
                    if sentinel.named_port() == before.port:
                        return False
            with contextlib.suppress(redis.RedisError):  # sentinels break connections off
                return self.primary.role == "master"
            return False

        until(turned, timeout_s=timeout_s)
        return self.primary

    def demote_the_others(self) -> None:
        """Make replicas of servers that come back: the sentinels take ten seconds for it."""
        primary = self.primary
        for each in self.servers:
            if each is not primary and each.role == "master":
                each.client.replicaof("127.0.0.1", str(primary.port))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for each in (*self.sentinels, *self.servers):
            each.close()


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    """A server that stands still, its sockets open: as one that the network cuts off."""
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.signal(signal.SIGCONT)
