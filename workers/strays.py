"""Jobs that Redis lists under a worker which does not know of them: a reply was lost."""

from __future__ import annotations

from collections.abc import Sequence

from ..jobs.call import Queue
from ..jobs.finish import release
from ..jobs.read import read
from ..jobs.record import ClaimedJob
from ..jobs.settings import JobsSettings


def give_back(worker: str, queue: Queue, settings: JobsSettings, job_ids: Sequence[str]) -> None:
    """Give a worker's jobs back, uncounted."""
    for record in queue.run(read(job_ids, settings)):
        if record is None:
            continue
        job = ClaimedJob(
            id=record.id,
            group=record.group,
            attempt=record.attempt,
            rows=record.rows,
            header_length=0,
            payload_key="",
            payload_ref="",
            created_at_ms=record.created_at_ms,
        )
        queue.run(release(record.group, worker, [job], settings))
