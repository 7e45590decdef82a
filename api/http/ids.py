from __future__ import annotations

import os
import time
from urllib.parse import quote, unquote_to_bytes

from fastapi import Request

from ...protocol.errors import InvalidRequest, JobNotFound
from ..access.caller import caller

#: Characters of a job id, at most.
MAX_ID = 256


def uuid7() -> str:
    """A UUID whose order is that of time (RFC 9562, section 5.7)."""
    ms = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = ms << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def checked_id(given: str, *, what: str = "id") -> str:
    """A client's id. Raises InvalidRequest for one that is empty, long, or cannot be in a URL."""
    if not given or len(given) > MAX_ID:
        raise InvalidRequest(f"{what}: give 1 to {MAX_ID} characters, or none")
    if given in (".", ".."):
        raise InvalidRequest(f"{what}: {given!r} has a meaning of its own in a URL")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what}: not valid Unicode") from None
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in given):
        raise InvalidRequest(f"{what}: control characters cannot stand in an id")
    return given


def shown_id(job_id: str) -> str:
    """What the caller calls a job of its own; an admin calls it as Redis does."""
    return caller.get().shown(job_id)


def job_path(job_id: str) -> str:
    """A job's path as the caller asks it; any id, slashes included, stays one segment."""
    return f"/v2/jobs/{quote(shown_id(job_id), safe='')}"


def id_from_path(segment: str) -> str:
    """The id that a path's segment stands for, still percent-encoded. Raises JobNotFound."""
    try:
        return unquote_to_bytes(segment.encode("latin-1")).decode()
    except UnicodeError:
        raise JobNotFound("no job has that id: it is not UTF-8") from None


def path_job_id(request: Request) -> str:
    """The job that a request's path names, as Redis calls it. Raises JobNotFound."""
    return caller.get().stored(id_from_path(request.path_params["job_id"]))


def idempotency_key(request: Request) -> str:
    """A request's Idempotency-Key among its tenant's; "" for none. Raises InvalidRequest."""
    key = request.headers.get("idempotency-key", "")
    return caller.get().stored(checked_id(key, what="Idempotency-Key")) if key else ""
