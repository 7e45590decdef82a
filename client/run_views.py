"""Runs as the server shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..protocol.errors import JobCanceled, JobExpired, WherryError, from_code

#: States in which a run stays.
_ENDS = frozenset({"succeeded", "failed", "canceled", "expired"})


#: What can be done about a run that has no output, by its error's type.
_REMEDIES = {
    "too_many_errors": ": clone the run with another max_errors, answered rows are reused",
    "too_much_device_time": (
        ": clone the run with another max_device_seconds, answered rows are reused"
    ),
    "deadline_exceeded": ": a retry answers the rest, for as long again",
}


class _View(BaseModel):
    # A newer server tells more.
    model_config = ConfigDict(extra="allow", protected_namespaces=())


class RunFault(_View):
    """Why a run failed."""

    error_type: str
    message: str


class RunRows(_View):
    """How many rows a run has, and what came of them."""

    #: None until they are counted.
    total: int | None = None
    read: int = 0
    answered: int = 0
    failed: int = 0
    reused: int = 0
    in_flight: int = 0


class RunShards(_View):
    """How many parts a run was cut into."""

    total: int = 0
    done: int = 0
    running: int = 0


class RunWait(_View):
    """What keeps a run from going on that lies outside of it."""

    #: `plan`, `shard/N`, `merge` or `export/FORMAT`.
    step: str
    reason: str
    since: datetime


class RunView(_View):
    """A run as it stands."""

    id: str
    name: str = ""
    state: str
    error: RunFault | None = None
    model: str
    version: str = ""
    task: str = ""
    format: str = ""
    source: str = ""
    out: str = ""
    parameters: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    max_errors: int | None = None
    max_device_seconds: float | None = None
    deadline_s: float | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    rows: RunRows = RunRows()
    rows_per_s: float = 0.0
    estimated_end_at: datetime | None = None
    device_seconds: float = 0.0
    shards: RunShards = RunShards()
    labels: dict[str, int] = {}
    #: None where nothing does.
    waiting_for: RunWait | None = None
    output: dict[str, Any] | None = None
    sample: int = 0
    held: bool = False
    #: Of one that follows its source: since when, what it found last, how many files wait.
    follow: dict[str, Any] | None = None
    looked_at: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state in _ENDS

    @property
    def is_answered(self) -> bool:
        """Whether it has ended with all its rows answered: any format can be made of them."""
        return self.done and 0 < self.shards.total == self.shards.done

    def failure(self) -> WherryError | None:
        """The error of a run that ended without an output."""
        if self.error is not None:
            told = _REMEDIES.get(self.error.error_type, "")
            return from_code(self.error.error_type, f"{self.error.message}{told}")
        if self.state == "canceled":
            return JobCanceled(f"run {self.id!r} was canceled: a retry answers the rest")
        if self.state == "expired":
            return JobExpired(
                f"run {self.id!r} did not end before its deadline: a retry answers the rest"
            )
        return None
