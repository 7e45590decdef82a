"""The Celery app: `python -P -m wherry.workers worker -Q vision -P threads -c 3`.

Celery carries tickets, Redis holds jobs. `celery_app.py` has its settings.
"""

from __future__ import annotations

import logging
import signal
import sys
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn

from celery import signals
from celery.exceptions import ImproperlyConfigured

from .. import __version__
from ..jobs import redis_url
from ..jobs.group import Group
from ..jobs.settings import JobsSettings, from_environment
from ..jobs.ticket import TASK
from ..protocol.errors import ModelFailed, Unavailable, WherryError
from ..telemetry import traces
from ..telemetry.metrics_settings import MetricsSettings
from ..telemetry.settings import TelemetrySettings
from .celery_app import new_app
from .settings import WorkerSettings
from .threads import EXIT_UNUSABLE

if TYPE_CHECKING:
    from .worker import Worker

log = logging.getLogger(__name__)

#: Seconds that a thread goes on in Python while another wants to. Of the usual 0.005 a thread whose
#: forward has ended loses as many as the forward took, with the device idle.
_SWITCH_S = 0.0005

app = new_app("wherry")

_worker: Worker | None = None


@app.task(name=TASK, ignore_result=True, Strategy=f"{__package__}.tickets:careful")
def run_batch(family: str, group_id: str) -> None:  # noqa: ARG001 # Flower shows it
    """Serve one batch of a group. Sent by submit, claim and the keeper as a ticket."""
    if _worker is None:
        log.error("a ticket came to a process that is no Wherry worker")
        return
    try:
        _worker.serve(Group.parse(group_id))
    except Unavailable as error:  # keepers replace the ticket
        log.warning("a ticket of %s is dropped: %s", group_id, error.message)


@signals.celeryd_after_setup.connect
def _start(sender: str, instance: Any, **_: object) -> None:  # Celery gives its own Worker
    """Load the models before Celery says ready: `-Q` names the families.

    Celery logs what a signal's receiver raises and goes on; a worker without models must not.
    """
    try:
        _start_worker(sender, instance)
    except (ImproperlyConfigured, ModelFailed, ValueError) as error:
        log.critical("this worker cannot start: %s", error)
        raise SystemExit(EXIT_UNUSABLE) from error
    except WherryError as error:
        # Redis above all: what it said, of a certificate too, is the cause.
        why = redis_url.explain(error, JobsSettings().redis_url)
        log.critical("this worker cannot start: %s", why)
        raise SystemExit(1) from error
    except Exception as error:
        log.critical("this worker cannot start: %s", error, exc_info=True)
        raise SystemExit(1) from error


def _start_worker(node: str, instance: Any) -> None:
    global _worker  # Celery's signals and tasks have no other common ground
    sys.setswitchinterval(_SWITCH_S)
    # Flower loads this app too, and needs nothing of what follows.
    from ..tasks.backends.device import Device
    from .device import pin, resolve
    from .revoking import revoke_jobs
    from .worker import Worker

    pool = instance.pool_cls if isinstance(instance.pool_cls, str) else instance.pool_cls.__module__
    if "prefork" in pool:
        raise ImproperlyConfigured("Wherry workers share one device among threads: use -P threads")
    settings = from_environment(WorkerSettings)
    telling = from_environment(TelemetrySettings)
    traces.start("wherry-worker", telling, version=__version__, instance=node)
    try:
        asked = resolve(settings.device)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    device = Device(pin(asked), asked=asked)
    families = set(instance.app.amqp.queues.consume_from)
    # Beside an event a job, Celery's own of each ticket would count every job's work twice.
    app.tasks[TASK].send_events = settings.events == "batches"
    _worker = Worker(
        app,
        node,
        families,
        jobs=from_environment(JobsSettings),
        settings=settings,
        metrics=from_environment(MetricsSettings),
        device=device,
        threads=instance.concurrency,
        consumer=lambda: instance.consumer,
    )
    revoke_jobs(_worker.cancel)
    before = signal.signal(signal.SIGTERM, _stop_loading)
    try:
        _worker.start()
    except SystemExit:
        _worker.stop()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop_loading(*_: object) -> NoReturn:
    """End a process that is told to while it loads; unwound, no model is blamed for its end."""
    from .models import Stopped

    raise Stopped(0)


@signals.worker_ready.connect
def _heed_sighup(**_: object) -> None:
    """Read models.toml again at a SIGHUP: Celery would start the process anew."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: Thread(target=_reload, daemon=True).start())


def _reload() -> None:
    try:
        if _worker is not None:
            _worker.reload()
    except WherryError as error:
        log.warning("models.toml is not read again: %s", error.message)


@signals.worker_shutting_down.connect
def _drain(**_: object) -> None:
    if _worker is not None:
        _worker.drain()


@signals.worker_shutdown.connect
def _stop(**_: object) -> None:
    if _worker is not None:
        _worker.stop()
    traces.stop()
