"""Celery apps of the fleet, with the settings that all of them have.

Those that are not Celery's defaults have their reason beside them; docs/architecture.md has the
measurements.
"""

from __future__ import annotations

from celery import Celery

from ..jobs.settings import JobsSettings, from_environment
from . import transport


def new_app(name: str) -> Celery:
    """An app on this fleet's Redis. Raises SettingsError."""
    transport.install()
    app = Celery(name)
    app.conf.update(
        **transport.broker(from_environment(JobsSettings).redis_url),
        broker_connection_retry_on_startup=True,
        # However long Redis is away: who gives up after an hour is missed when it comes back.
        broker_connection_max_retries=None,
        # About late acknowledgement, which tickets have not; unset, each reconnection warns of it.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_transport_options={
            # Tickets are acknowledged on receipt, so keeping a copy of each until then is work for
            # nothing; and it fails when Redis is full, which would end the consumer.
            "ack_emulation": False,
            # A half-open connection must not hold the event loop, nor a reconnection, for ever.
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
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
