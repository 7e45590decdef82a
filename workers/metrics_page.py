"""A Celery process's page of metrics, where a port is set for it, and the word of where it is."""

from __future__ import annotations

import logging

from ..jobs.settings import JobsSettings
from ..telemetry.metrics_page import MetricsPage, PageServer, listen
from ..telemetry.metrics_settings import MetricsSettings

log = logging.getLogger(__name__)


class OwnPage:
    """Shows a page to whoever reaches its port. Without one the process works on, and says so."""

    def __init__(self, jobs: JobsSettings, settings: MetricsSettings) -> None:
        self._jobs, self._settings = jobs, settings
        self._server: PageServer | None = None

    def start(self, page: MetricsPage) -> None:
        """Listen."""
        self._server = listen(page, self._settings, log)

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def info(self) -> dict[str, object]:
        """What the heartbeat carries of it."""
        server = self._server
        return {} if server is None else {"metrics": server.address(self._jobs.redis_url)}
