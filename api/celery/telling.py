"""Telling Celery of ends, from threads of its own: Celery's backends block."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ...jobs.settings import JobsSettings
from ...protocol.errors import BackendError, WherryError
from ..settings import ApiSettings

if TYPE_CHECKING:  # Celery takes a second to import, and most fleets never need it
    from .results import CeleryResults

#: Threads: a backend that hangs holds up no other work of the process.
_THREADS = 4


log = logging.getLogger(__name__)


class Teller:
    """Tells Celery of ends, some at a time. What its backend or broker raises is raised."""

    def __init__(self, jobs: JobsSettings, settings: ApiSettings) -> None:
        self._jobs, self._settings = jobs, settings
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="wherry-celery")
        self._lock = threading.Lock()
        self._results: CeleryResults | None = None

    async def succeeded(self, context: str, answer: Callable[[], Any]) -> None:  # any JSON
        """Tell of a task's answer, which is made in the thread, or of why it cannot be made."""

        def tell(results: CeleryResults) -> None:
            try:
                made = answer()
            except WherryError as error:
                results.failed(context, error)
            except Exception as error:  # it would be so each time
                log.exception("an answer cannot be told to Celery")
                results.failed(context, BackendError(f"the answer raised {type(error).__name__}"))
            else:
                results.succeeded(context, made)

        await self._run(tell)

    async def failed(self, context: str, error: WherryError) -> None:
        """Tell of a task's error."""
        await self._run(lambda results: results.failed(context, error))

    async def revoked(self, context: str, reason: str) -> None:
        """Tell that a task was canceled, or has expired."""
        await self._run(lambda results: results.revoked(context, reason))

    async def stop(self) -> None:
        """Wait for what is being told, and close the connections."""
        await asyncio.to_thread(self._pool.shutdown)
        if self._results is not None:
            await asyncio.to_thread(self._results.close)

    async def _run(self, work: Callable[[CeleryResults], None]) -> None:
        loop = asyncio.get_running_loop()
        context = copy_context()  # a trace that it belongs to, above all
        await loop.run_in_executor(self._pool, lambda: context.run(self._work, work))

    def _work(self, work: Callable[[CeleryResults], None]) -> None:
        with self._lock:
            if self._results is None:
                from .results import CeleryResults, celery_app

                self._results = CeleryResults(celery_app(self._jobs, self._settings))
        work(self._results)
