"""The API's page of metrics: of the fleet, and of the processes behind its port."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ... import __version__
from ...telemetry import api_metrics
from ...telemetry.instruments import SHARED
from ...telemetry.metrics_page import SHARED_FOLDER, MetricsPage, PageServer, listen
from ...telemetry.metrics_settings import MetricsSettings
from .fleet_metrics import FleetMetrics
from .metric_families import families_of
from .service import Service

log = logging.getLogger(__name__)

#: Seconds that the thread of a port of its own waits for the fleet.
_PATIENCE_S = 5.0


class Metrics:
    """The page, on the API's port for whoever may read it; and on one of its own, where one is set.

    What it costs while nobody looks is what a request takes to be noted.
    """

    def __init__(self, service: Service, settings: MetricsSettings) -> None:
        self._fleet, self._settings = FleetMetrics(service), settings
        self._page = _page()
        self._server: PageServer | None = None

    async def start(self) -> None:
        """Listen where a port is set; one that cannot be had is told of, and done without."""
        if not SHARED and multiprocessing.parent_process() is not None:
            log.warning(
                "/metrics shows this process alone, and its port may be others' too: start the API"
                " by `python -m wherry.api.server --workers N`, or set %s to an empty folder",
                SHARED_FOLDER,
            )
        own = _page()
        own.register(_FleetCollector(self._fleet, asyncio.get_running_loop()))
        self._server = listen(own, self._settings, log)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            await asyncio.to_thread(self._server.close)
        await self._fleet.stop()

    async def page(self, accept: str) -> tuple[bytes, str]:
        """The page as a client reads it, and its type. Comes without Redis too."""
        families = families_of(await self._fleet.read())
        return await asyncio.to_thread(self._page.rendered, accept, families)


def _page() -> MetricsPage:
    return MetricsPage(
        "api", __version__, [api_metrics.REGISTRY], flushes=[api_metrics.requests.flush]
    )


class _FleetCollector(Collector):
    """The fleet for a thread: it is read on the API's own loop."""

    def __init__(self, fleet: FleetMetrics, loop: asyncio.AbstractEventLoop) -> None:
        self._fleet, self._loop = fleet, loop

    def describe(self) -> Iterable[Metric]:
        """Nothing: who registers it asks no Redis."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What the fleet is like."""
        reading = asyncio.run_coroutine_threadsafe(self._fleet.read(), self._loop)
        yield from families_of(reading.result(_PATIENCE_S))
