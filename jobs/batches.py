"""Batches in Redis: what was asked, how far it has come, and who is at it.

A batch is run by one owner at a time, who holds a lease on it. What an owner saves is how far the
batch has come, all at once; one whose lease passed to another saves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from .call import Call, call_script
from .files import FilePart, page
from .keys import Keys
from .owned import NOBODY
from .reach import joined, of_all
from .settings import JobsSettings


class BatchStatus(StrEnum):
    """The states of OpenAI's Batch API, in its words."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether it stays so."""
        return self in _ENDS


_ENDS = frozenset(
    {BatchStatus.FAILED, BatchStatus.COMPLETED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}
)


class BatchSpec(BaseModel):
    """What a client asked for; it never changes. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    created_at: int
    expires_at: int
    metadata: dict[str, str] | None = None
    tenant: str = NOBODY
    #: Seconds that its output files stay, if the client has said so.
    output_kept_s: int | None = None
    #: When the input goes, which it does not while the batch reads it.
    input_expires_at: int | None = None


def output_keys(batch_id: str, kind: str) -> str:
    """How the store's keys for the parts of a batch's `output` or `error` file begin."""
    return f"batch/{batch_id}/{kind}"


def output_file_id(batch_id: str, kind: str) -> str:
    """The id that a batch's `output` or `error` file has, once it has one."""
    return f"file-{batch_id.removeprefix('batch_')}-{kind}"


class BatchError(BaseModel):
    """Why a batch failed; `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class BatchProgress(BaseModel):
    """How far a batch has come: what an owner saves, and the next one goes on from."""

    #: Lines of the input that have their line of output, and the bytes they take.
    lines: int = 0
    position: int = 0
    total: int = 0
    completed: int = 0
    failed: int = 0
    output: tuple[FilePart, ...] = ()
    error: tuple[FilePart, ...] = ()
    output_file_id: str | None = None
    error_file_id: str | None = None
    #: When those two go, or None.
    output_expires_at: int | None = None
    errors: tuple[BatchError, ...] = ()
    #: Whether the time was up before the end.
    late: bool = False
    #: How often a run broke off by a fault of ours.
    faults: int = 0
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelled_at: int | None = None


class Batch(NamedTuple):
    """A batch as it stands."""

    asked: BatchSpec
    status: BatchStatus
    progress: BatchProgress
    cancelling_at: int | None


def create_batch(asked: BatchSpec, settings: JobsSettings) -> Call[bool]:
    """Write a batch down and offer it. False for a known id, which stays as it is."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "batch_create",
        settings,
        keys={
            "batch": keys.batch(asked.id),
            "leases": keys.leases,
            "indexes": [keys.batches(), keys.batches(asked.tenant)],
        },
        args={
            "id": asked.id,
            "asked": asked.model_dump_json(),
            "progress": BatchProgress().model_dump_json(),
        },
        parse=bool,
    )


def get_batch(batch_id: str, settings: JobsSettings) -> Call[Batch | None]:
    """A batch; None for an unknown id."""
    key = Keys(settings.key_prefix).batch(batch_id)
    return Call([("HMGET", key, *_FIELDS)], parse=_batch)


def batch_page(
    after: str, limit: int, settings: JobsSettings, *, tenant: str = ""
) -> Call[list[str] | None]:
    """Ids of batches, newest first, of one tenant's or of all; None when none is `after`."""
    index = Keys(settings.key_prefix).batches(tenant)
    return page(index, after, limit, settings, newest_first=True)


def take_batch(owner: str, lease_s: float, settings: JobsSettings) -> Call[Batch | None]:
    """Lease a batch that nobody is at; None when there is none."""
    return call_script(
        "batch_take",
        settings,
        keys={"leases": Keys(settings.key_prefix).leases},
        args={"owner": owner, "lease_ms": int(lease_s * 1000)},
        parse=lambda reply: None if reply is None else _batch(reply),
    )


def save_batch(
    asked: BatchSpec,
    owner: str,
    *,
    was: BatchStatus,
    status: BatchStatus,
    progress: BatchProgress | None,
    lease_s: float,
    kept_s: int,
    settings: JobsSettings,
) -> Call[BatchStatus | None]:
    """Save a batch's progress, and its status unless that is no longer what it `was`.

    Answers the status it then has; None for one who no longer owns it. A lease of 0 gives the
    batch back; a status to stay ends it, lets its input go, and has it forgotten `kept_s` later
    (0: never).
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "batch_save",
        settings,
        keys={
            "batch": keys.batch(asked.id),
            "leases": keys.leases,
            "readers": keys.readers(asked.input_file_id),
            "expiring": keys.expiring("batch"),
        },
        args={
            "id": asked.id,
            "owner": owner,
            "was": was.value,
            "status": status.value,
            "progress": progress.model_dump_json() if progress else "",
            "lease_ms": -1 if status.terminal else int(lease_s * 1000),
            "kept_ms": kept_s * 1000,
        },
        parse=lambda reply: None if reply is None else BatchStatus(reply.decode()),
    )


def forget_batch(asked: BatchSpec, settings: JobsSettings) -> Call[bool]:
    """Take a batch out of the books, once, if its time is over."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "batch_forget",
        settings,
        keys={
            "batch": keys.batch(asked.id),
            "expiring": keys.expiring("batch"),
            "indexes": [keys.batches(), keys.batches(asked.tenant)],
        },
        args={"id": asked.id},
        parse=bool,
    )


def cancel_batch(batch_id: str, settings: JobsSettings) -> Call[BatchStatus | None]:
    """Ask for a batch's end. Answers the status it had; None for an unknown id."""
    return call_script(
        "batch_cancel",
        settings,
        keys={"batch": Keys(settings.key_prefix).batch(batch_id)},
        parse=lambda reply: None if reply is None else BatchStatus(reply.decode()),
    )


def forget_soon(job_ids: Sequence[str], seconds: int, settings: JobsSettings) -> Call[list[str]]:
    """Let ended jobs go after some seconds: their answers are kept elsewhere.

    Answers where the store has their results, for the caller to remove after that time.
    """
    return call_script(
        "forget",
        settings,
        args={"seconds": seconds, "ids": job_ids},
        parse=lambda reply: [ref.decode() for ref in reply],
        reach=of_all(joined),
    )


_FIELDS = ("asked", "status", "progress", "cancelling_at")


def _batch(reply: list[Any]) -> Batch | None:
    asked, status, progress, cancelling_at = reply
    if asked is None:
        return None
    return Batch(
        BatchSpec.model_validate_json(asked),
        BatchStatus(status.decode()),
        BatchProgress.model_validate_json(progress),
        int(cancelling_at) if cancelling_at else None,
    )
