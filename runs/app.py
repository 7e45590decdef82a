"""The Celery app of runs: `python -P -m wherry.runs worker -Q runs -P threads -c 1`."""

from __future__ import annotations

import logging
from typing import Any

from celery import signals
from celery.exceptions import ImproperlyConfigured

from .. import __version__
from ..jobs import collector, redis_url
from ..jobs.settings import JobsSettings, from_environment
from ..jobs.ticket import RUN_TASK
from ..protocol.errors import Unavailable, WherryError
from ..telemetry import traces
from ..telemetry.metrics_settings import MetricsSettings
from ..telemetry.settings import TelemetrySettings
from ..workers.celery_app import new_app
from ..workers.threads import EXIT_UNUSABLE
from .settings import RunSettings
from .worker import RunWorker

log = logging.getLogger(__name__)

app = new_app("wherry-runs")

_worker: RunWorker | None = None


@app.task(name=RUN_TASK, ignore_result=True, Strategy="wherry.workers.tickets:careful")
def run_step(family: str, run_id: str) -> None:  # noqa: ARG001 # Flower shows it
    """Do what there is to do for runs. Sent as a ticket by whatever makes a step."""
    if _worker is None:
        log.error("a ticket came to a process that is no run worker")
        return
    try:
        _worker.serve()
    except Unavailable as error:  # keepers replace the ticket
        log.warning("a ticket is dropped: %s", error.message)


@signals.celeryd_after_setup.connect
def _start(sender: str, instance: Any, **_: object) -> None:  # Celery gives its own Worker
    """Begin; Celery logs what a signal's receiver raises and goes on, which this must not."""
    global _worker  # Celery's signals and tasks have no other common ground
    try:
        pool = instance.pool_cls
        name = pool if isinstance(pool, str) else pool.__module__
        if "prefork" in name:
            raise ImproperlyConfigured("run workers say goodbye in their own process: -P threads")
        jobs, telling = from_environment(JobsSettings), from_environment(TelemetrySettings)
        traces.start("wherry-runs", telling, version=__version__, instance=sender)
        worker = RunWorker(
            sender,
            jobs=jobs,
            settings=from_environment(RunSettings),
            metrics=from_environment(MetricsSettings),
            threads=instance.concurrency,
            consumer=lambda: instance.consumer,
        )
        worker.start()
        collector.calm()
        _worker = worker
    except (ImproperlyConfigured, ValueError, OSError) as error:
        log.critical("this run worker cannot start: %s", error)
        raise SystemExit(EXIT_UNUSABLE) from error
    except WherryError as error:
        log.critical(
            "this run worker cannot start: %s", redis_url.explain(error, JobsSettings().redis_url)
        )
        raise SystemExit(1) from error
    except Exception as error:
        log.critical("this run worker cannot start: %s", error, exc_info=True)
        raise SystemExit(1) from error


@signals.worker_shutting_down.connect
def _drain(**_: object) -> None:
    if _worker is not None:
        _worker.drain()


@signals.worker_shutdown.connect
def _stop(**_: object) -> None:
    if _worker is not None:
        _worker.stop()
    traces.stop()
