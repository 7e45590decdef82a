"""What Celery is told of a job's end: by its own result backend, callbacks, chains and chords.

A worker of Celery's does the same when a task returns; see celery/app/trace.py and
celery/backends/base.py.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.app.task import Context
from celery.canvas import signature
from kombu.utils import json

from ...jobs.celery_redis import CeleryRedis, for_celery
from ...jobs.settings import JobsSettings
from ...protocol.errors import WherryError
from ..settings import ApiSettings

#: Seconds that one try to reach the broker or the backend takes at most; later ones are ours.
_TRY_S = 5.0


def celery_app(jobs: JobsSettings, settings: ApiSettings) -> Celery:
    """An app that sends what follows a job and stores results.

    Raises ValueError for a backend that there is not.
    """
    own = for_celery(jobs.redis_url)
    backend = own
    if named := settings.celery_result_backend:
        sentinels = named.startswith(("sentinel://", "sentinels://"))
        try:
            backend = for_celery(named) if sentinels else CeleryRedis(named, None, {})
        except ValueError as error:
            raise ValueError(f"WHERRY_CELERY_RESULT_BACKEND: {error}") from None
    app = Celery("wherry", broker=own.url, backend=backend.url, set_as_current=False)
    app.conf.update(
        broker_use_ssl=own.tls or False,
        broker_transport_options=own.options,
        broker_connection_timeout=_TRY_S,
        # JSON only: a pickled message would run code.
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=settings.celery_default_queue,
        result_serializer="json",
        result_expires=jobs.result_ttl_s,
        result_backend_transport_options={
            "retry_policy": {"timeout": _TRY_S},
            **backend.options,
        },
        **({"redis_backend_use_ssl": backend.tls} if backend.options and backend.tls else {}),
        result_backend_thread_safe=True,  # else each thread has one, and none is ever closed
        redis_socket_timeout=_TRY_S,
        redis_socket_connect_timeout=_TRY_S,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.2},
        worker_hijack_root_logger=False,
        enable_utc=True,
    )
    try:
        app.backend  # noqa: B018 # made when it is asked for
    except Exception as error:  # each backend has errors of its own, and some packages are not here
        raise ValueError(f"WHERRY_CELERY_RESULT_BACKEND: {error}") from None
    return app


class CeleryResults:
    """Tells Celery of ends. Its calls block; each may be made again after one that raised."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        # Nobody here waits for what follows a job, and a subscription is no two threads' at once.
        app.backend.on_task_call = _unheard

    def succeeded(self, context: str | bytes, answer: Any) -> None:  # any JSON
        """A task's answer: what follows is sent first, so that the result can name it."""
        task = _read(context)
        *rest, following = task.chain or [None]
        sent: list[tuple[Any, dict[str, Any]]] = [(one, {}) for one in task.callbacks or ()]
        if following is not None:
            sent.append((following, {"chain": rest}))
        for one, options in sent:
            child_task = signature(one, app=self._app)
            assert child_task is not None
            child = child_task.apply_async(
                (answer,), parent_id=task.id, root_id=task.root_id or task.id, **options
            )
            task.children.append(child)
        self._app.backend.mark_as_done(task.id, answer, request=task)

    def failed(self, context: str | bytes, error: WherryError) -> None:
        """A task's error, by its type and its text."""
        task = _read(context)
        self._app.backend.mark_as_failure(
            task.id, error, request=task, store_result=not task.ignore_result
        )

    def revoked(self, context: str | bytes, reason: str) -> None:
        """A task that was canceled, or did not start before it expired."""
        task = _read(context)
        self._app.backend.mark_as_revoked(
            task.id, reason, request=task, store_result=not task.ignore_result
        )

    def close(self) -> None:
        """Close the backend's connections; the broker's are kombu's, for the whole process."""
        self._app.close()
        client = vars(self._app.backend).get("client")  # Redis' has one, once it was used
        if client is not None:
            client.connection_pool.disconnect()


def _unheard(*_: object) -> None:
    """Listen for no results."""


def _read(context: str | bytes) -> Context:
    return Context({"args": [], "kwargs": {}, "is_eager": False, **json.loads(context)})
