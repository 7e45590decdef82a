from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..protocol.states import JobState
from .group import Group
from .tenants import UNLIMITED, TenantLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as the API hands it over: checked, normalised, ready to store."""

    id: str
    task: str
    group: Group
    payload: bytes
    #: Bytes of JSON at the head of the payload; the raw tensors follow.
    header_length: int
    #: Hash of the normalised request without its id: two bodies under one id differ here.
    fingerprint: str
    rows: int = 1
    #: Set when the payload was put in the blob store because it is large.
    payload_ref: str = ""
    #: Milliseconds since the epoch by which the job must have started; 0 for no limit.
    start_by_ms: int = 0
    idempotency_key: str = ""
    #: Whether a client gave the id, or the Idempotency-Key: another request may have the same.
    named: bool = False
    #: The tenant's share of the fleet, held against that of others who have jobs waiting.
    weight: float = 1.0
    limits: TenantLimits = UNLIMITED
    #: URL to call when the job has ended; "" for none.
    webhook: str = ""
    #: What Celery said of the task that this is, as JSON: Celery hears of the end; "" for none.
    celery: str = ""
    #: Milliseconds that an attempt may run; 0 for no limit.
    execution_timeout_ms: int = 0
    #: Where it stands in a trace, as `TraceContext` writes it; "" for one that nobody traces.
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What submit answers: the job's id (an older one for a repeated key) and its place."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a job's history."""

    status: JobState
    at_ms: int
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTook:
    """What the batch of a job's last attempt took, part by part. Times in µs."""

    #: For the device, while others computed.
    waited_us: int
    compute_us: int
    output_us: int
    #: From the claim to the finish.
    total_us: int
    rows: int

    @property
    def input_us(self) -> int:
        """To read the rows."""
        return max(0, self.total_us - self.waited_us - self.compute_us - self.output_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it stands, without payload and result bytes."""

    id: str
    task: str
    group: Group
    status: JobState
    attempt: int
    rows: int
    created_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    worker: str
    error_type: str
    error: str
    history: tuple[Change, ...]
    #: 0 for the next to start; None unless queued.
    queue_position: int | None
    estimated_start_at_ms: int | None
    #: None unless a worker has ended it.
    took: BatchTook | None = None
    #: Of the trace that it was submitted in, 32 hexadecimal digits; "" where nobody traces it.
    trace_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """What a job was asked: header JSON, then raw tensors."""

    body: bytes
    header_length: int
    #: Set instead of body when the blob store holds it.
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """A finished job's InferenceResponse: header JSON, then raw tensors."""

    body: bytes
    header_length: int
    #: Set instead of body when the blob store holds it.
    ref: str


class ClaimedJob(NamedTuple):  # one a row: a frozen dataclass takes four times as long to make
    """A job that this worker now runs. (worker, attempt) is its lease."""

    id: str
    group: Group
    attempt: int
    rows: int
    header_length: int
    payload_key: str
    payload_ref: str
    created_at_ms: int
    #: Whether it was aboard a crash, in this life or before its replay: it runs alone.
    is_suspect: bool = False
    #: As `NewJob` has it; "" too where the worker traces nothing.
    trace: str = ""


def by_group(jobs: Iterable[ClaimedJob]) -> Mapping[Group, list[ClaimedJob]]:
    """The jobs of each group, as they go back."""
    found: dict[Group, list[ClaimedJob]] = {}
    for job in jobs:
        found.setdefault(job.group, []).append(job)
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """What one group gave to a batch."""

    group: Group
    jobs: tuple[ClaimedJob, ...]
    #: Device time in µs that the group's flow was charged; finish settles the rest.
    charged_us: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a ticket brought: jobs, or a wait of some milliseconds for a fuller batch."""

    #: The first is of the group that was due, which need not be the ticket's; none without jobs.
    shares: tuple[Share, ...] = ()
    wait_ms: int = 0
    #: Whether jobs wait, but none of a model that this worker serves: the ticket is for another.
    is_foreign: bool = False

    @property
    def group(self) -> Group | None:
        """The group that was due; None without jobs."""
        return self.shares[0].group if self.shares else None

    @property
    def jobs(self) -> tuple[ClaimedJob, ...]:
        """All jobs of the batch."""
        return tuple(job for share in self.shares for job in share.jobs)

    @property
    def charges(self) -> Mapping[Group, int]:
        """What was charged, in µs, for the jobs of each group."""
        return {share.group: share.charged_us for share in self.shares}


class Outcome(NamedTuple):
    """How one attempt ended. `result` or `result_ref` for success, else the error."""

    id: str
    attempt: int
    result: bytes = b""
    result_ref: str = ""
    header_length: int = 0
    error_type: str = ""
    error: str = ""

    @property
    def status(self) -> JobState:
        """`failed` when there is an error type."""
        return JobState.FAILED if self.error_type else JobState.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """What one batch cost, for the model's counters and the groups' rates. Times in µs."""

    #: The one that was due.
    group: Group
    rows: int = 0
    max_rows: int = 0
    executions: int = 0
    #: Rows of each of the executions.
    sizes: tuple[int, ...] = ()
    #: For the device, while others computed.
    waited_us: int = 0
    compute_us: int = 0
    #: To write the answers down.
    output_us: int = 0
    #: From the claim to the finish.
    total_us: int = 0
    #: What the claim charged for the jobs of each group; none when it is not to be settled.
    charges: Mapping[Group, int] = field(default_factory=dict)
