"""A batch's output made into files, at its end."""

from __future__ import annotations

import time

from .....jobs.batches import BatchProgress, BatchSpec, output_file_id
from .....jobs.files import File, FilePart, put_file
from ....core.service import Service
from .expiry import expires_at


async def write_files(service: Service, asked: BatchSpec, progress: BatchProgress) -> None:
    """Make files of the parts, and note them; a second time they are there already."""
    output = await _file(service, asked, "output", progress.output)
    error = await _file(service, asked, "error", progress.error)
    progress.output_file_id = output.id if output else None
    progress.error_file_id = error.id if error else None
    last = error or output
    progress.output_expires_at = last.expires_at if last else None


async def _file(
    service: Service, asked: BatchSpec, kind: str, parts: tuple[FilePart, ...]
) -> File | None:
    if not parts:
        return None
    now = int(time.time())
    file = File(
        id=output_file_id(asked.id, kind),
        filename=f"{asked.id}_{kind}.jsonl",
        purpose="batch_output",
        created_at=now,
        expires_at=expires_at(now, asked.output_kept_s, service.settings),
        tenant=asked.tenant,
        parts=parts,
    )
    return await service.queue.run(put_file(file, service.jobs))
