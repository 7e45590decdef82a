"""Celery's `revoke`, for jobs: `celery control revoke`, `AsyncResult(id).revoke()`, Flower's.

Celery itself knows tickets alone: of a job's id it would say ok, and the job would run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.utils.functional import maybe_list
from celery.worker.control import Panel

from ..protocol.errors import JobNotFound, WherryError

log = logging.getLogger(__name__)

#: A reply of Celery's: `ok` or `error`, and a text.
Reply = dict[str, str]

#: Cancels the job of that id. Raises JobNotFound.
Cancel = Callable[[str], None]


def revoke_jobs(cancel: Cancel) -> None:
    """Let this process's `revoke` and `terminate` cancel jobs, as `POST /v2/jobs/{id}/cancel` does.

    Every worker hears a revoke; canceling twice is canceling once. What is no job is Celery's.
    """
    celerys_own: Callable[..., Reply] = Panel.data["revoke"]

    def revoke(
        state: Any,  # Celery's, of this worker
        task_id: str | list[str],
        terminate: bool = False,
        signal: str | None = None,
        **options: Any,  # what other versions of Celery send along
    ) -> Reply:
        given: list[str] = [str(entry) for entry in maybe_list(task_id) or []]
        try:
            jobs = [job_id for job_id in given if _canceled(job_id, cancel)]
        except WherryError as error:
            log.error("jobs were not revoked: %s", error.message)  # noqa: TRY400 # Redis is away
            return {"error": error.message}
        others = [entry for entry in given if entry not in jobs]
        if not others:
            return {"ok": f"jobs canceled: {', '.join(jobs)}"}
        found = celerys_own(state, others, terminate=terminate, signal=signal, **options)
        said = next(iter(found.values()))
        return {**found, "ok": f"jobs canceled: {', '.join(jobs)}; {said}"} if jobs else found

    def terminate(state: Any, signal: str, task_id: str | list[str], **options: Any) -> Reply:
        return revoke(state, task_id, terminate=True, signal=signal, **options)

    Panel.data["revoke"], Panel.data["terminate"] = revoke, terminate


def _canceled(job_id: str, cancel: Cancel) -> bool:
    """Cancel a job. Answers whether there is one."""
    try:
        cancel(job_id)
    except JobNotFound:
        return False
    return True
