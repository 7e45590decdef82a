"""Runs as the server shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..protocol.errors import JobCanceled, JobExpired, WherryError, from_code

#: States in which a run stays.
_ENDS = frozenset({"succeeded", "failed", "canceled", "expired"})


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
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
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
            return from_code(self.error.error_type, self.error.message)
        if self.state == "canceled":
            return JobCanceled(f"run {self.id!r} was canceled")
        if self.state == "expired":
            return JobExpired(f"run {self.id!r} did not end before its deadline")
        return None
