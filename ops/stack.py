"""The local stack: Redis, the API, one worker per family, Flower, as children of one process."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ..tasks.catalog import load_catalog
from .child import Child
from .redis_server import RedisServer, free_port

#: Called with a service's name and a line it printed.
Log = Callable[[str, str], None]

#: Seconds that all services may take to be ready; models load in this time.
_READY_TIMEOUT_S = 180.0


@dataclass(kw_only=True)
class Stack:
    """The services of one fleet on this machine. Use it in a `with` block."""

    models: Path
    data_dir: Path
    port: int = 0
    redis_url: str = ""
    flower: bool = True
    flower_port: int = 0
    concurrency: int = 3
    workers_per_family: int = 1
    #: More settings for every service, as environment variables.
    env: dict[str, str] = field(default_factory=dict)
    log: Log = lambda service, line: None  # noqa: ARG005 # a silent default
    redis: RedisServer | None = field(default=None, init=False)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    #: What the services said last, for the error of a stack that does not start.
    _last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=30), init=False)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def flower_url(self) -> str:
        """Where Flower answers."""
        return f"http://127.0.0.1:{self.flower_port}"

    def start(self) -> None:
        """Start every service, then wait until all are ready. Raises RuntimeError when not."""
        families = load_catalog(self.models).families()
        self.port = self.port or free_port()
        self.flower_port = self.flower_port or free_port()
        if not self.redis_url:
            self.redis = RedisServer(self.data_dir / "redis")
            self.redis.start()
            self.redis_url = self.redis.url
        self._spawn("api", self._api_command())
        for family in families:
            for number in range(self.workers_per_family):
                name = f"worker-{family}" + (f"-{number}" if number else "")
                self._spawn(name, self._worker_command(family, number))
        if self.flower:
            self._spawn("flower", self._flower_command())
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop in the order that loses nothing: see the reasons."""
        for prefix, reason in (
            ("api", "no new jobs come in"),
            ("worker", "they finish what they run and give the rest back"),
            ("flower", "it only watches"),
        ):
            for name, child in self.children.items():
                if name.startswith(prefix):
                    self.log("stack", f"stopping {name}: {reason}")
                    child.stop()
        if self.redis is not None:
            self.log("stack", "stopping redis: last, so that all of the above is kept")
            self.redis.stop()

    def worker(self, family: str, number: int = 0) -> Child:
        """A worker's process."""
        return self.children[f"worker-{family}" + (f"-{number}" if number else "")]

    def _spawn(self, name: str, command: list[str]) -> None:
        child = Child(
            name, command, env=self._environment(), on_line=lambda line: self._line(name, line)
        )
        self.children[name] = child
        child.start()

    def _line(self, service: str, line: str) -> None:
        self._last_lines.append(f"{service}: {line}")
        self.log(service, line)

    def _environment(self) -> dict[str, str]:
        return {
            "WHERRY_STORE_DIR": str(self.data_dir.absolute() / "blobs"),
            **os.environ,
            "WHERRY_REDIS_URL": self.redis_url,
            "WHERRY_MODELS": str(self.models.absolute()),
            "PYTHONUNBUFFERED": "1",
            **self.env,
        }

    def _api_command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "uvicorn", "--factory", "wherry.api.app:create_app"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"),
        ]

    def _worker_command(self, family: str, number: int) -> list[str]:
        return [
            *(sys.executable, "-m", "celery", "-A", "wherry.workers.app", "worker"),
            *("-Q", family, "-P", "threads", "-c", str(self.concurrency)),
            *("-n", f"{family}-{number}@%h", "--loglevel", "WARNING"),
            *("-E", "--without-gossip", "--without-mingle"),
        ]

    def _flower_command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "celery", "-A", "wherry.workers.app", "flower"),
            # Loopback: Flower serves /metrics without credentials, whatever its auth.
            *("--address=127.0.0.1", f"--port={self.flower_port}", "--max_tasks=20000"),
        ]

    def _wait_until_ready(self) -> None:
        deadline, reasons = time.monotonic() + _READY_TIMEOUT_S, "the API does not answer"
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{self.url}/v2/health/ready", timeout=5)
                if answer.status_code == 200:
                    break
                reasons = ", ".join(answer.json().get("reasons", ["not ready"]))
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        else:
            said = "\n".join(self._last_lines)
            raise RuntimeError(
                f"the stack is not ready after {_READY_TIMEOUT_S:.0f} s: {reasons}\n{said}"
            )

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
