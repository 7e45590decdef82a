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

#: Cancels the job of that id, and answers the state that it was in. Raises JobNotFound.
Cancel = Callable[[str], str]

#: States that a cancel ends.
_UNDER_WAY = ("queued", "running")
_NO_END = ("", *_UNDER_WAY)


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
            found = {job_id: _canceled(job_id, cancel) for job_id in given}
        except WherryError as error:
            log.error("jobs were not revoked: %s", error.message)  # noqa: TRY400 # Redis is away
            return {"error": error.message}
        canceled = [job_id for job_id, was in found.items() if was in _UNDER_WAY]
        told = [f"jobs canceled: {', '.join(canceled)}"] if canceled else []
        told += [f"{job_id}: already {was}" for job_id, was in found.items() if was not in _NO_END]
        others = [entry for entry, was in found.items() if not was]
        if not others:
            return {"ok": "; ".join(told)}
        reply = celerys_own(state, others, terminate=terminate, signal=signal, **options)
        said = next(iter(reply.values()))
        return {**reply, "ok": "; ".join([*told, said])} if told else reply

    def terminate(state: Any, signal: str, task_id: str | list[str], **options: Any) -> Reply:
        return revoke(state, task_id, terminate=True, signal=signal, **options)

    Panel.data["revoke"], Panel.data["terminate"] = revoke, terminate


def _canceled(job_id: str, cancel: Cancel) -> str:
    """Cancel a job. Answers the state that it was in; "" where there is none."""
    try:
        return cancel(job_id)
    except JobNotFound:
        return ""
