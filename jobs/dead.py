"""Dead letters: jobs that were aboard too many crashes. They keep their payload for a replay.

`recover.reap` makes them, `recover.requeue` replays them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..protocol import errors
from .call import Call, call_script
from .keys import Keys
from .pages import Listed
from .reach import of_job
from .settings import JobsSettings

_CURSOR = re.compile(r"\d{1,16}:.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DeadPage:
    """Dead letters' ids, newest first, and the cursor of the next page ("" at the end)."""

    ids: tuple[str, ...]
    following: str
    #: How many there are in all.
    total: int
    #: The letters once more, with their times and places.
    listed: Sequence[Listed] = ()


@dataclass(frozen=True, slots=True)
class DeadRequest:
    """What a dead letter was asked: the head of its request, and where the whole of it is."""

    size: int
    header_length: int
    #: Set when the blob store holds it; `header` is empty then.
    ref: str
    header: bytes


def list_dead(
    settings: JobsSettings, *, model: str = "", error: str = "", limit: int = 50, after: str = ""
) -> Call[DeadPage]:
    """Dead letters of a model, or whose error holds some words. Raises InvalidRequest.

    Letters may come and go between two pages: none that stays is missed or told twice.
    """
    if after and not _CURSOR.fullmatch(after):
        raise errors.InvalidRequest("after: use the cursor that a page gave")
    return call_script(
        "dead_list",
        settings,
        keys={"dead": Keys(settings.key_prefix).dead},
        args={
            "model": quote(model, safe=""),
            "error": error,
            "limit": limit,
            "after": after,
        },
        parse=_page,
    )


def read_dead(job_id: str, settings: JobsSettings) -> Call[DeadRequest]:
    """A dead letter's request. Raises NotFound when the job is no dead letter."""
    keys = Keys(settings.key_prefix)

    def read(reply: list[Any] | None) -> DeadRequest:
        if reply is None:
            raise errors.NotFound(f"no dead letter {job_id!r}")
        size, header_length, ref, header = reply
        return DeadRequest(int(size), int(header_length), ref.decode(), header)

    return call_script(
        "dead_read",
        settings,
        keys={"job": keys.job(job_id), "dead": keys.dead},
        args={"id": job_id},
        parse=read,
        reach=of_job(job_id),
    )


def drop(job_id: str, settings: JobsSettings) -> Call[str]:
    """Give a dead letter up. Answers the blob that is the caller's to remove, "" for none.

    Raises JobNotFound, or Conflict when the job is no dead letter.
    """
    keys = Keys(settings.key_prefix)

    def read(reply: bytes | int | None) -> str:
        if reply is None:
            raise errors.JobNotFound(f"no job {job_id!r}")
        if isinstance(reply, int):
            raise errors.Conflict(f"job {job_id!r} is no dead letter")
        return reply.decode()

    return call_script(
        "dead_drop",
        settings,
        keys={"job": keys.job(job_id), "dead": keys.dead},
        args={"id": job_id, "result_ttl_s": settings.result_ttl_s},
        parse=read,
        reach=of_job(job_id),
    )


def _page(reply: list[Any]) -> DeadPage:
    following, total, *items = reply
    ids = tuple(item.decode() for item in items[: len(items) // 2])
    times = (int(ms) for ms in items[len(items) // 2 :])
    listed = [Listed(i, ms, f"{ms}:{i}") for i, ms in zip(ids, times, strict=True)]
    return DeadPage(ids, following.decode(), int(total), listed)
