from __future__ import annotations

import os
import time
import uuid
from urllib.parse import quote

from ..protocol.errors import InvalidRequest

#: Characters of a job id, at most.
MAX_ID = 256


def uuid7() -> str:
    """A UUID whose order is that of time (RFC 9562, section 5.7)."""
    ms = time.time_ns() // 1_000_000
    value = (ms << 80) | (0x7 << 76) | (0b10 << 62)
    noise = int.from_bytes(os.urandom(10))
    value |= ((noise >> 62) & 0xFFF) << 64 | (noise & ((1 << 62) - 1))
    return str(uuid.UUID(int=value))


def checked_id(given: str) -> str:
    """A client's job id. Raises InvalidRequest for one that is empty, long, or cannot be a URL."""
    if not given or len(given) > MAX_ID:
        raise InvalidRequest(f"id: give 1 to {MAX_ID} characters, or none")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("id: not valid Unicode") from None
    if any(ord(character) < 32 for character in given):
        raise InvalidRequest("id: control characters cannot stand in an id")
    return given


def job_path(job_id: str) -> str:
    """A job's path; any id, slashes included, stays one segment."""
    return f"/v2/jobs/{quote(job_id, safe='')}"
