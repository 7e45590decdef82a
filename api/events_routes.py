"""Server-sent events: a job's history, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from ..jobs.record import Record
from ..protocol.errors import JobNotFound, Unavailable
from . import examples
from .ids import path_job_id
from .plain import PlainRoute
from .prefer import whole_number
from .service import Service
from .views import change_view

router = APIRouter(tags=["jobs"], route_class=PlainRoute)

#: Seconds of silence after which a comment is sent at the latest: proxies close quiet streams.
_KEEP_ALIVE_S = 15.0

#: Seconds between two looks while Redis is away.
_RETRY_S = 0.5


@router.get("/v2/jobs/{job_id}/events", **examples.EVENTS)
async def get_events(request: Request) -> Response:
    """Server-sent events, one a state change; `Last-Event-ID` replays what was missed."""
    service, job_id = Service.of(request), path_job_id(request)
    seen = whole_number(request.headers.get("last-event-id") or "0", what="Last-Event-ID")
    await service.record(job_id)
    return StreamingResponse(
        _stream(service, job_id, seen),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(service: Service, job_id: str, seen: int) -> AsyncIterator[bytes]:
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
            if record.status.terminal:
                return
            if not await watch.heard(_KEEP_ALIVE_S):
                yield b": still here\n\n"


def _event(record: Record, number: int) -> bytes:
    data = to_json({"id": record.id, **change_view(record, number)})
    status = record.history[number].status.value.encode()
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number + 1, status, data)
