"""Server-sent events: a job's history, live, and its tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response

from ...jobs.record import JobRecord
from ...jobs.token_stream import START
from ...protocol.errors import InvalidRequest, JobNotFound, Unavailable
from ..core.service import Service
from ..core.streams import chunks
from ..core.views import change_view
from ..http import openapi_examples
from ..http.draining import draining
from ..http.fast_route import FastRoute
from ..http.ids import path_job_id, shown_id
from ..http.prefer import whole_number
from ..http.sse import EventStream, event

router = APIRouter(tags=["jobs"], route_class=FastRoute)

#: Seconds of silence after which a comment is sent at the latest: proxies close quiet streams.
_KEEP_ALIVE_S = 15.0

#: Where in a stream of tokens something is.
_PLACE = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")

#: Seconds between two looks while Redis is away.
_RETRY_S = 0.5


@router.get("/v2/jobs/{job_id}/events", **openapi_examples.EVENTS)
async def get_events(request: Request) -> Response:
    """Server-sent events, one a state change; `Last-Event-ID` replays what was missed."""
    service, job_id = Service.of(request), path_job_id(request)
    seen = whole_number(request.headers.get("last-event-id") or "0", what="Last-Event-ID")
    await service.record(job_id)
    return EventStream(_stream(service, job_id, seen))


async def _stream(service: Service, job_id: str, seen: int) -> AsyncIterator[bytes | None]:
    with service.waiters.watching([job_id], every_change=True) as watch:
        while True:
            watch.clear()
            try:
                record = await service.record(job_id)
            except JobNotFound:
                return  # its time is over
            except Unavailable:
                await asyncio.sleep(_RETRY_S)
                continue
            for number in range(seen, len(record.history)):
                yield _event(record, number)
            seen = max(seen, len(record.history))
            if record.status.terminal or draining.on:
                return
            if not await watch.heard(_KEEP_ALIVE_S):
                yield None


def _event(record: JobRecord, number: int) -> bytes:
    view = {"id": shown_id(record.id), **change_view(record, number)}
    return event(view, kind=record.history[number].status.value, place=str(number + 1))


@router.get("/v2/jobs/{job_id}/stream", **openapi_examples.STREAM)
async def get_stream(request: Request) -> Response:
    """Server-sent tokens of a job that was submitted with `stream`; `Last-Event-ID` replays."""
    service, job_id = Service.of(request), path_job_id(request)
    after = request.headers.get("last-event-id") or START
    if not _PLACE.fullmatch(after):
        raise InvalidRequest(f"Last-Event-ID: {after[:40]!r} is not one that was sent")
    await service.record(job_id)
    return EventStream(_chunks(service, job_id, after))


async def _chunks(service: Service, job_id: str, after: str) -> AsyncIterator[bytes | None]:
    async for placed in chunks(service, job_id, after):
        if placed is None:
            yield None
            continue
        chunk = placed.chunk
        tokens = [token.view() for token in chunk.tokens]
        view = {"row": chunk.row, "at": chunk.at, "text": chunk.text, "tokens": tokens}
        yield event(view, kind="tokens", place=placed.place)
    record = await service.record(job_id)
    yield event({"id": shown_id(job_id), "status": record.status.value}, kind=record.status.value)
