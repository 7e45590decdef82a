"""What every room's tests share: a Redis of their own."""

from __future__ import annotations

import functools
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import redis
from botocore.config import Config
from hypothesis import settings

from wherry.jobs.settings import JobsSettings
from wherry.ops.redis_server import RedisServer, free_port

from .support.clouds import Cloud, azurite, fake_gcs
from .support.marked_folders import is_left_out
from .support.nursery import Nursery
from .support.whole_files import WholeFiles

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)

# Tests import ONNX Runtime themselves, too, and it sends what it likes unless told before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Time decides no test: machines are busy.
settings.register_profile("wherry", deadline=None)
settings.load_profile("wherry")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files go whole to a process, and a run outlives a process that dies."""
    return WholeFiles(config, log) if config.getvalue("dist") == "loadfile" else None


class _Named:
    """Names what failed at once: of a run that is broken off, nothing else would."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"failed: {report.nodeid}")


def pytest_sessionstart(session: pytest.Session) -> None:
    plugins = session.config.pluginmanager
    reporter = plugins.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        plugins.register(_Named(reporter))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of some folders no test would be selected: they are not read."""
    return is_left_out(collection_path, config.getoption("markexpr")) or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: whoever looks for garbage passes it by."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _certificates() -> Iterator[None]:
    """Clients of httpx share what they trust: each would read all certificates anew, for 30 ms."""

    @functools.cache
    def read(*named: str | None, **asked: Any) -> Any:
        return httpx.create_ssl_context(**asked)

    def trusted(**asked: Any) -> Any:
        return read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), **asked)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("httpx._transports.default.create_ssl_context", trusted)
        yield


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """No test leaves a signal to be taken otherwise: a later one would not be interrupted by it."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    changed = {n.name: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) != before[n]}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert not changed, f"left behind: {changed}"


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Our programs, forked from one process that has imported what they need."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def forked_stacks(nursery: Nursery) -> Iterator[None]:
    """Have the processes of a module's stacks forked: seconds of CPU time each otherwise."""
    with nursery.starts_stacks():
        yield


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for the whole session, with a data folder of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def server(redis_server: RedisServer) -> str:
    """Where the session's server answers; what tests leave there stays."""
    return redis_server.url


@pytest.fixture
def redis_url(server: str) -> str:
    """Where the session's server answers, emptied for this test."""
    with redis.Redis.from_url(server) as connection:
        connection.flushall()
    return server


@pytest.fixture(scope="session")
def s3() -> Iterator[JobsSettings]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_ACCOUNT_ID": "123456789012"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        settings = JobsSettings(
            store_url="s3://wherry/fleet",
            s3_endpoint_url=url,
            s3_region="us-east-1",
            s3_access_key_id="id",
            s3_secret_access_key="secret",
        )
        _make_bucket(url)
        yield settings
        server.terminate()


@pytest.fixture(scope="session")
def gcs() -> Iterator[Cloud]:
    """Google's storage, for the whole session."""
    with fake_gcs() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def azure() -> Iterator[Cloud]:
    """Azure's blobs, for the whole session."""
    with azurite() as cloud:
        yield cloud


def _make_bucket(url: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1),
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket="wherry")
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            client.close()
            return
