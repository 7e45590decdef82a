from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """What a client sees of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended: no other state follows."""
        return self not in (JobState.QUEUED, JobState.RUNNING)
