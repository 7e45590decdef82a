"""What is written down of a run: how far it is, its parts, its steps."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from ..tasks.annotations.stretches import SCORE_BINS
from .follow_records import RunFollow
from .run_spec import RunSpec


class RunState(StrEnum):
    """What a client sees of a run."""

    QUEUED = "queued"
    PLANNING = "planning"
    RUNNING = "running"
    #: Its sample is answered; it waits to be let go on.
    HELD = "held"
    PAUSED = "paused"
    MERGING = "merging"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether it stays so."""
        return self in _ENDS


_ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.EXPIRED})


class RunError(BaseModel):
    """Why a run failed."""

    error_type: str
    message: str


class RunFile(BaseModel):
    """A file of an output."""

    name: str
    bytes: int


class RunOutput(BaseModel):
    """Files that a run wrote: in its `place`, or in the store (`run_blobs.py` reads them)."""

    #: "" where they are in the store.
    place: str = ""
    files: int = 0
    bytes: int = 0
    #: The first of them; the store's manifest has all.
    listed: list[RunFile] = []
    #: How the store's keys of their bytes begin.
    key: str = ""
    parts: int = 0


class RunExport(BaseModel):
    """A finished run's answers in another format."""

    #: `making`, `done` or `failed`.
    state: str
    error: RunError | None = None
    output: RunOutput | None = None


class RunPlan(BaseModel):
    """What a run turned out to be of: settled once, by its first step."""

    version: str
    task: str
    format: str
    is_folder: bool
    #: The source as it was when the run was planned, whatever is changed there later; "" where
    #: nothing names that.
    source: str = ""
    #: Files of the source that are no rows: suffix -> how many.
    left_out: dict[str, int] = {}
    #: Of a run that follows its source, what each part of its output begins with.
    head: str = ""
    #: What its answers are of, as text; "" where that was not noted.
    origin: str = ""
    #: Ended runs of the same origin, whose answers its rows may have.
    earlier: list[str] = []


class ShardCounts(BaseModel):
    """How far a shard has come."""

    read: int = 0
    done: int = 0
    failed: int = 0
    reused: int = 0
    duplicates: int = 0
    in_flight: int = 0
    device_ms: float = 0.0
    warned: int = 0
    #: Rows that are in its sheet and its part of the output, which are made once all are answered.
    written: int = 0


class Shard(ShardCounts):
    """A part of the source, and what is known of it."""

    number: int = 0
    #: What to read: `client.annotate`'s own words.
    part: dict[str, Any] = {}
    #: `waiting` until `done`; whether it runs is told by `Run.running`.
    state: str = "waiting"
    #: Rows that it was planned to have; None where nobody knows before they are read.
    planned: int | None = None
    #: Place of its first row in the source, by the plan; exact unless files are many rows.
    first: int = 0
    #: How many rows further on than `first` it turned out to begin, and its sheet's rows with it:
    #: known once the shards before are done. It is counted when shards are read, never kept.
    moved: int = 0
    #: Rows that it has, once it is done.
    rows: int = 0
    #: How the keys of its sheet end; "" before there is one.
    sheet: str = ""
    #: Its part of the output, where the format is one whose parts are put one after another.
    piece: RunOutput | None = None
    #: How often small ones were put together for it.
    folds: int = 0
    #: How the key of its rows ends; "" before it is done.
    rows_blob: str = ""
    #: How that of its rows' keys ends, by which later runs find its answers; "" for none.
    keys_blob: str = ""
    has_pictures: bool = False
    #: What else is in the store beside its sheet: `run_blobs.quality_key`'s kinds, blanks between
    #: them. Lua makes an object of an empty list.
    told: str = ""
    #: How often its run had ended before it was done, and was let go on.
    retried: int = 0
    ended_at_ms: int = 0

    def tells(self, kind: str) -> bool:
        """Whether there is such a thing in the store."""
        return kind in self.told.split()


class StepWait(BaseModel):
    """What keeps a step from going on that nobody here can mend: a bucket, a store, a server."""

    step: str
    reason: str
    #: Milliseconds since the epoch.
    since: float


class RunProgress(BaseModel):
    """How far a run has come."""

    rows_total: int | None = None
    read: int = 0
    done: int = 0
    failed: int = 0
    reused: int = 0
    duplicates: int = 0
    in_flight: int = 0
    device_seconds: float = 0.0
    warned: int = 0
    labels: dict[str, int] = {}
    scores: list[int] = [0] * SCORE_BINS
    error_types: dict[str, int] = {}
    rows_per_s: float = 0.0
    shards_total: int = 0
    shards_done: int = 0
    shards_running: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    expires_at_ms: int | None = None
    error: RunError | None = None
    output: RunOutput | None = None
    exports: dict[str, RunExport] = {}
    #: Steps that wait, the one that has waited longest first.
    waits: list[StepWait] = []
    notes: list[str] = []
    #: The summary that `wherry annotate` writes; None before the end.
    summary: dict[str, Any] | None = None
    #: Of a run that follows its source, once it was planned.
    follow: RunFollow | None = None
    #: Whether it follows still, and whether it is to take no more.
    following: bool = False
    finishing: bool = False


class Run(BaseModel):
    """A run as it stands."""

    spec: RunSpec
    state: RunState
    #: None before it was planned.
    plan: RunPlan | None
    progress: RunProgress

    @property
    def is_answered(self) -> bool:
        """Whether all its rows are answered and it has ended, however: it can be exported."""
        at = self.progress
        return self.state.terminal and 0 < at.shards_total == at.shards_done


class Step(BaseModel):
    """A step that a run worker holds: `plan`, `follow`, `shard/N`, `merge` or `export/FORMAT`."""

    run_id: str
    name: str
    #: Who the worker is for this step and this attempt: the fence.
    owner: str
    spec: RunSpec
    plan: RunPlan | None
    #: What to call the API with; "" for none. No log and no trace has it.
    token: str = Field(repr=False)
    shard: Shard | None = None
    #: Names of the shard's segments in the store, in the order in which they were written.
    segments: list[str] = []
    #: Where its run stands in a trace, as `NewJob` has it.
    trace: str = ""


class RunWish(StrEnum):
    """What a run wants of whoever holds one of its steps."""

    GO = "go"
    PAUSE = "pause"
    #: Another is to have the step, who is quicker.
    YIELD = "yield"
    CANCEL = "cancel"
