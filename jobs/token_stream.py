"""What running jobs say before they end: chunks in a stream, kept a while for replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .call import Call, call_script
from .keys import Keys
from .reach import of_known_job
from .record import ClaimedJob
from .settings import JobsSettings

#: The place before the first chunk.
START = "0-0"

#: Chunks read at once.
_MOST = 256


class StreamEntry(NamedTuple):
    """A chunk, and the place after which to read on."""

    place: str
    chunk: bytes


def send_chunks(
    worker: str, chunks: Sequence[tuple[ClaimedJob, bytes]], settings: JobsSettings
) -> Call[frozenset[str]]:
    """Add chunks. Answers the ids that nobody wants to hear more of.

    An attempt whose lease has passed to another worker adds nothing.
    """
    return call_script(
        "tell",
        settings,
        args={
            "worker": worker,
            "ttl_s": settings.stream_ttl_s,
            "chunks": [
                {"id": job.id, "attempt": job.attempt, "chunk": chunk} for job, chunk in chunks
            ],
        },
        parse=lambda reply: frozenset(item.decode() for item in reply),
    )


def read_chunks(job_id: str, after: str, settings: JobsSettings) -> Call[list[StreamEntry]]:
    """The next chunks after a place."""
    key = Keys(settings.key_prefix).token_stream(job_id)
    return Call(
        [("XRANGE", key, f"({after}", "+", "COUNT", _MOST)],
        parse=lambda reply: [_entry(entry) for entry in reply],
        reach=of_known_job(job_id),
    )


def _entry(entry: tuple[bytes, Any]) -> StreamEntry:
    place, fields = entry
    # Read by name or as Redis sends them: pipelines of both kinds come here.
    chunk = fields[b"c"] if isinstance(fields, dict) else fields[1]
    return StreamEntry(place.decode(), chunk)
