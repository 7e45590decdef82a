"""The page that Prometheus reads, and the small server of it beside a process's own work."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from . import calls
from .instruments import SHARED, family
from .metrics_settings import MetricsSettings

#: Where processes that share a port keep their values, as prometheus-client names it.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

#: What is told of each process: CPU seconds, memory, open files. Of several there is no sum.
_process = CollectorRegistry()
if not SHARED:
    ProcessCollector(registry=_process)


class MetricsPage(CollectorRegistry):
    """All that one process shows: what it measured, what it is asked for, and what it is."""

    def __init__(
        self,
        part: str,
        version: str,
        registries: Sequence[CollectorRegistry] = (),
        *,
        flushes: Iterable[Callable[[], None]] = (),
    ) -> None:
        super().__init__()
        self._about = family("wherry_build_info", [((version, part), 1)])
        self._registries = [calls.REGISTRY, *registries]
        self._flushes = [calls.flush, *flushes]

    def collect(self) -> Iterable[Metric]:
        """Every metric, as of now."""
        for flush in self._flushes:
            flush()
        yield self._about
        if SHARED:
            yield from _of_all_processes()
        else:
            for registry in self._registries:
                yield from registry.collect()
        yield from super().collect()
        yield from _process.collect()

    def rendered(self, accept: str, beside: Iterable[Metric] = ()) -> tuple[bytes, str]:
        """The page in the form that a client reads, with other metrics on it, and its type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(_Both(beside, self)), content_type


class _Both(Collector):
    def __init__(self, metrics: Iterable[Metric], page: MetricsPage) -> None:
        self._metrics, self._page = metrics, page

    def collect(self) -> Iterable[Metric]:
        yield from self._metrics
        yield from self._page.collect()


def _of_all_processes() -> Iterable[Metric]:
    """The sums over those that share a port; one that is dead answers no requests any more."""
    folder = Path(os.environ[SHARED_FOLDER])
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call] # its own has no types
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call] # its own has no types
    return registry.collect()


@dataclass(frozen=True, slots=True)
class PageServer:
    """The page on a port of its own, in a thread."""

    host: str
    port: int
    server: WSGIServer
    thread: threading.Thread

    def address(self, near: str) -> str:
        """Where others find it: of a host that stands for all, what reaches the server `near`."""
        host = self.host
        if host in ("", "0.0.0.0", "::"):  # noqa: S104 # told apart, not listened on
            host = _own_address(near) or socket.gethostname()
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def close(self) -> None:
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _own_address(near: str) -> str:
    """This machine's address on its way to a URL's host; "" where that cannot be told."""
    try:
        parts = urlsplit(near)
        if not parts.hostname:
            return ""
        found = socket.getaddrinfo(parts.hostname, parts.port or 9, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[0][4])  # of datagrams: nothing is sent
            return str(probe.getsockname()[0])
    except (OSError, ValueError):
        return ""


def listen(page: MetricsPage, settings: MetricsSettings, log: logging.Logger) -> PageServer | None:
    """Serve a page where the settings say, if they do; a process works on where that cannot be."""
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        return None
    try:
        return serve(page, host, 0 if port == "auto" else port)
    except OSError as error:
        log.warning(
            "no page of metrics at %s:%s: %s. WHERRY_METRICS_PORT and WHERRY_METRICS_HOST say"
            " where; processes of one machine each need a port, as `auto` finds one",
            host,
            port,
            error,
        )
        return None


def serve(page: MetricsPage, host: str, port: int) -> PageServer:
    """Serve a page, on any free port where it is 0. Raises OSError where that cannot be."""
    server, thread = start_http_server(port, host, page)
    thread.name = "wherry-metrics"
    with contextlib.suppress(AttributeError):
        server.daemon_threads = True  # type: ignore[attr-defined] # a scrape keeps no process
    return PageServer(host, server.server_port, server, thread)
