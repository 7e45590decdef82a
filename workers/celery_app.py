"""Celery apps of the fleet, with the settings that all of them have.

Those that are not Celery's defaults have their reason beside them; docs/architecture.md has the
measurements.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from celery import Celery, signals
from celery.app.amqp import AMQP
from celery.apps import worker as celery_worker
from celery.bin.celery import celery
from kombu.connection import Connection

from ..jobs.settings import JobsSettings, SettingsError, from_environment
from ..telemetry import logs
from ..telemetry.repeats import count_repeats
from ..telemetry.settings import TelemetrySettings
from . import transport
from .threads import EXIT_UNUSABLE

#: Seconds between two tries of Celery's consumer to reach Redis. Its own grow to thirty, by which a
#: worker comes back half a minute after Redis does.
_RECONNECT_S = 2


class PromptConnection(Connection):
    """kombu's connection, which looks as often after a long time as after a short one."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Connect, however often it takes."""
        ensure: Any = super().ensure_connection
        return ensure(*args, **{"interval_max": _RECONNECT_S, **options})


class Amqp(AMQP):  # type: ignore[misc] # Celery ships no types
    """Celery's messaging, over such connections."""

    Connection = PromptConnection


def new_app(name: str) -> Celery:
    """An app on this fleet's Redis. Raises SettingsError."""
    transport.install()
    _log_as_told()
    app = Celery(name, amqp=Amqp)
    app.conf.update(
        **transport.broker(from_environment(JobsSettings).redis_url),
        broker_connection_retry_on_startup=True,
        # However long Redis is away: who gives up after an hour is missed when it comes back.
        broker_connection_max_retries=None,
        # About late acknowledgement, which tickets have not; unset, each reconnection warns of it.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        # JSON only: a pickled message would run code.
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        # Results live with the job; Celery's own would be a second, lossy copy.
        task_ignore_result=True,
        # A ticket is a hint, so losing one is harmless and holding one back is not.
        task_acks_late=False,
        # Disabling prefetch altogether polls, and leaves the device idle between batches.
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        enable_utc=True,
    )
    return app


def _log_as_told() -> None:
    """Log JSON instead of Celery's own lines, where the settings say so; the same but once."""
    count_repeats()
    telling = from_environment(TelemetrySettings)
    if telling.log_format != "json":
        return

    def set_up(loglevel: int, **_: object) -> None:
        logs.start(telling, level=loglevel)

    def say(message: str, *_: object) -> None:  # from a signal's handler: no logger's lock is taken
        os.write(2, f"{logs.line('info', 'celery.worker', message)}\n".encode())

    signals.setup_logging.connect(set_up, weak=False)  # with a receiver Celery sets up none
    celery_worker.safe_say = say


def run_command_line(load: Callable[[], Celery], arguments: Sequence[str]) -> NoReturn:
    """Run Celery's with an app, and exit with its status, which `app.worker_main` drops."""
    # Celery warns of root because of pickle, which our workers refuse.
    warnings.filterwarnings("ignore", "You're running the worker with superuser")
    try:
        app = load()
    except SettingsError as error:  # the settings are read with the app
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        sys.exit(EXIT_UNUSABLE)
    celery.params[0].default = app
    celery.main(args=list(arguments), prog_name="celery")
    sys.exit(0)
