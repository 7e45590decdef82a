"""A job that somebody revoked by Celery, wherever it is."""

from __future__ import annotations

from ..jobs.call import Queue
from ..jobs.celery_tasks import revoke_task
from ..jobs.recover import cancel
from ..jobs.settings import JobsSettings
from ..protocol.errors import JobNotFound


def cancel_anywhere(job_id: str, near: Queue, whole: Queue, jobs: JobsSettings) -> str:
    """Cancel a job, by its id or by that of its Celery task, on the Redis that is `near` or on
    another of the whole fleet's. Answers the state that it was in.

    Raises JobNotFound, Unavailable.
    """
    try:
        return near.run(cancel(job_id, jobs))
    except JobNotFound:  # by that name: Celery's task may be another job's, or none yet
        named = near.run(revoke_task(job_id, jobs))
        if whole is near and not named:
            raise
        # It may be on the Redis of another family; or not stored yet, and then never is.
        return whole.run(cancel(named or job_id, jobs))
