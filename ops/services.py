"""The command lines of the fleet's services, as anyone could type them.

compose.yaml runs the same; tests/ops/test_compose.py compares them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..workers.commands import CELERY_BEAT_S
from .exposure import TlsFiles
from .ports import LOOPBACK

#: Celery's command line with Wherry's app, which `celery -A` would look for in the current folder
#: first: files there would stand in for modules.
_CELERY = (sys.executable, "-P", "-m", "wherry.workers")

#: Room in the fork server's command line, over which its forks write their own.
_ROOM = " " * 300

#: The factory that uvicorn calls.
API_FACTORY = "wherry.api.app:create_app"

#: Jobs that Flower remembers; its own 100,000 take over 500 MB.
FLOWER_MAX_TASKS = 20_000

#: Seconds that the API's open requests have to end at shutdown.
_API_GRACE_S = 5


def api_command(
    port: int,
    *,
    host: str = LOOPBACK,
    log_level: str = "warning",
    tls: TlsFiles | None = None,
) -> list[str]:
    """Uvicorn with the API."""
    files = ["--ssl-certfile", str(tls.cert), "--ssl-keyfile", str(tls.key)] if tls else []
    return [
        # It would put the current folder first on the path: this is none.
        *(sys.executable, "-P", "-m", "wherry.api.server", "--app-dir", os.devnull),
        *("--factory", API_FACTORY),
        *("--host", host, "--port", str(port), *files, "--no-access-log"),
        *("--log-level", log_level, "--timeout-graceful-shutdown", str(_API_GRACE_S)),
    ]


def worker_command(
    family: str, number: int, *, concurrency: int = 3, log_level: str = "warning"
) -> list[str]:
    """A Celery worker of one family. Its settings, the device too, come from its environment."""
    return [
        *(*_CELERY, "--quiet", "worker"),
        *("-Q", family, "-P", "threads", "-c", str(concurrency)),
        *("-n", f"{family}-{number}@%h", "--loglevel", log_level.upper()),
        *("-E", "--without-gossip", "--without-mingle"),
        f"--heartbeat-interval={CELERY_BEAT_S}",
    ]


def runs_command(number: int, *, log_level: str = "warning") -> list[str]:
    """A Celery worker of runs; its settings come from its environment."""
    return [
        *(*_CELERY[:-1], "wherry.runs", "--quiet", "worker"),
        *("-Q", "runs", "-P", "threads", "-c", "1"),
        *("-n", f"runs-{number}@%h", "--loglevel", log_level.upper()),
        *("-E", "--without-gossip", "--without-mingle"),
        f"--heartbeat-interval={CELERY_BEAT_S}",
    ]


def worker_arguments(command: Sequence[str]) -> list[str] | None:
    """Of a worker's command line, what it says to Celery; None for any other program."""
    ours = tuple(command[: len(_CELERY)]) == _CELERY
    return list(command[len(_CELERY) :]) if ours else None


def fork_server_command(modules: Sequence[str]) -> list[str]:
    """The process that imports `modules` and forks workers, as its standard input asks."""
    return [*_CELERY[:-1], "wherry.workers.fork_server", *modules, _ROOM]


def flower_command(
    port: int,
    *,
    host: str = LOOPBACK,
    log_level: str = "warning",
    tls: TlsFiles | None = None,
) -> list[str]:
    """Flower, which serves /metrics without credentials, whatever its auth."""
    files = [f"--certfile={tls.cert}", f"--keyfile={tls.key}"] if tls else []
    return [
        *(*_CELERY, "flower"),
        *(f"--address={host}", f"--port={port}", *files, f"--max_tasks={FLOWER_MAX_TASKS}"),
        f"--logging={log_level}",
    ]
