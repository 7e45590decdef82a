"""Files and batches as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....jobs.batches import Batch
from .....jobs.files import File
from .....protocol.errors import InvalidRequest


def file_view(file: File) -> dict[str, Any]:
    """A file. Its bytes are as they came, so it is always `processed`."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_view(batch: Batch) -> dict[str, Any]:
    """A batch."""
    asked, progress = batch.asked, batch.progress
    errors = [error.model_dump() for error in progress.errors]
    return {
        "id": asked.id,
        "object": "batch",
        "endpoint": asked.endpoint,
        "model": None,
        "errors": {"object": "list", "data": errors} if errors else None,
        "input_file_id": asked.input_file_id,
        "completion_window": asked.completion_window,
        "status": batch.status.value,
        "output_file_id": progress.output_file_id,
        "error_file_id": progress.error_file_id,
        "created_at": asked.created_at,
        "in_progress_at": progress.in_progress_at,
        "expires_at": asked.expires_at,
        "finalizing_at": progress.finalizing_at,
        "completed_at": progress.completed_at,
        "failed_at": progress.failed_at,
        "expired_at": progress.expired_at,
        "cancelling_at": batch.cancelling_at,
        "cancelled_at": progress.cancelled_at,
        "request_counts": {
            "total": progress.total,
            "completed": progress.completed,
            "failed": progress.failed,
        },
        "usage": None,
        "output_expires_after": asked.output_kept_s
        and {"anchor": "created_at", "seconds": asked.output_kept_s},
        "output_expires_at": progress.output_expires_at,
        "metadata": asked.metadata,
    }


def list_view(found: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """A page of either."""
    return {
        "object": "list",
        "data": found,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
        "has_more": more,
    }


def read_limit(given: str | None, default: int, most: int) -> int:
    """A page's length. Raises InvalidRequest."""
    if given is None:
        return default
    if given.isascii() and given.isdigit() and len(given) < 9 and 1 <= int(given) <= most:
        return int(given)
    raise InvalidRequest(f"limit: expected a number from 1 to {most}")
