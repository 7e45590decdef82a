from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..protocol.errors import JobCanceled, JobExpired, WherryError, from_code
from ..protocol.states import JobState


class JobError(BaseModel):
    """Why a job failed."""

    type: str
    message: str


class Change(BaseModel):
    """One entry of a job's history."""

    status: JobState
    at: datetime
    attempt: int
    worker: str | None = None


class JobView(BaseModel):
    """A job as the server shows it."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    id: str
    status: JobState
    model_name: str
    model_version: str
    task: str
    rows: int
    attempt: int
    priority: int
    queue_position: int | None = None
    estimated_start_at: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    error: JobError | None = None
    tenant: str | None = None
    trace_id: str | None = None
    history: list[Change] = []
    result: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status.terminal

    def failure(self) -> WherryError | None:
        """The error of a job that ended without a result."""
        if self.error is not None:
            return from_code(self.error.type, self.error.message)
        return no_result(self.id, self.status)


def no_result(job_id: str, status: JobState) -> WherryError | None:
    """The error that an end without a result stands for, beside failure."""
    if status is JobState.CANCELED:
        return JobCanceled(f"job {job_id!r} was canceled")
    if status is JobState.EXPIRED:
        return JobExpired(f"job {job_id!r} did not start before its deadline")
    return None
