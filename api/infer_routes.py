"""Synchronous inference: a job like any other, and a wait for its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from ..jobs.record import StoredResult
from ..jobs.recover import cancel
from ..protocol import codec
from ..protocol.errors import DeadlineExceeded, InvalidRequest, Unavailable
from ..protocol.states import JobState
from . import examples
from .body import header_length, read_body
from .errors import error_response
from .ids import idempotency_key, job_path
from .intake import Prepared
from .plain import PlainRoute
from .prefer import Preferences
from .service import Service, outcome_error
from .views import inference_response, job_response

router = APIRouter(tags=["open inference protocol"], route_class=PlainRoute)

#: Seconds of waiting after which it is watched whether the client is still there: most answers
#: come sooner, and the watch costs as much as the wait.
_PATIENT_S = 0.25


@router.post("/v2/models/{model}/infer", **examples.INFER)
@router.post("/v2/models/{model}/versions/{version}/infer", **examples.INFER)
async def infer(request: Request) -> Response:
    """Run a request through the queue and wait for its answer; 504 names the job to poll."""
    service, path = Service.of(request), request.path_params
    prefer = Preferences.of(request, service.settings.infer_timeout_s)
    body = await read_body(request, service.settings.max_body_bytes)
    prepared = await service.intake.read(
        body,
        header_length(request),
        path["model"],
        path.get("version"),
        # A waiting client's id is echoed, not used as the job's: OIP lets ids repeat.
        use_id=prefer.respond_async,
        idempotency_key=idempotency_key(request),
    )
    seconds = service.settings.infer_timeout_s if prefer.wait_s is None else prefer.wait_s
    if prefer.respond_async and prefer.wait_s is None:
        seconds = 0.0
    ended = await _run(service, request, prepared, seconds)
    if ended.status is not JobState.SUCCEEDED:
        return await _no_result(service, request, prepared, ended.id, ended.status)
    binary, names = codec.wants_binary(prepared.request)
    return await inference_response(
        ended.response or await service.response(ended.id),
        binary=binary,
        binary_names=names,
        response_id=prepared.request.id,
    )


class _Ended(NamedTuple):
    """A job at the end of our wait."""

    id: str
    status: JobState | None  # None while Redis is away
    response: StoredResult | None = None  # where it came along


async def _run(service: Service, request: Request, prepared: Prepared, seconds: float) -> _Ended:
    """Store the job and wait for its end."""
    deadline = time.monotonic() + seconds
    with service.waiters.watching([prepared.job.id]) as watch:
        stored = await service.intake.store_job(
            prepared, reply_to=service.waiters.reply_channel if seconds > 0 else ""
        )
        # We listen since before the job was there, so a good end needs no look at the record.
        if stored.created and await watch.heard(min(seconds, _PATIENT_S)) == JobState.SUCCEEDED:
            return _Ended(stored.id, JobState.SUCCEEDED, watch.response)
    left = deadline - time.monotonic()
    try:
        status = await _wait_or_cancel(service, request, stored.id, left, mine=prepared.fresh)
        return _Ended(stored.id, status)
    except Unavailable:
        return _Ended(stored.id, None)  # the job is safe, only we cannot see it


async def _wait_or_cancel(
    service: Service, request: Request, job_id: str, seconds: float, *, mine: bool
) -> JobState:
    """Wait for a job's end; when the client hangs up, cancel a job that nobody else can know."""
    if seconds <= 0:
        return (await service.record(job_id)).status
    waiting = asyncio.create_task(service.wait(job_id, seconds))
    hangup = asyncio.create_task(_hangup(request))
    try:
        await asyncio.wait([waiting, hangup], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result().status
        if mine:
            await service.queue.run(cancel(job_id, service.jobs))
        raise InvalidRequest("the client hung up")
    finally:
        for task in (waiting, hangup):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _hangup(request: Request) -> None:
    await request.receive()  # after the body, only a disconnect comes


async def _no_result(
    service: Service,
    request: Request,
    prepared: Prepared,
    job_id: str,
    status: JobState | None,
) -> Response:
    """Answer for a job that failed, or that has not ended yet."""
    where = {"Location": job_path(job_id)}
    record = await service.record(job_id) if status else None
    error = outcome_error(record) if record else None
    if error is not None:
        return error_response(request, error, id=prepared.request.id or job_id)
    if record and Preferences.of(request, 0).respond_async:
        return job_response(record, 202, {**where, "Preference-Applied": "respond-async"})
    late = DeadlineExceeded(f"no answer yet; poll {job_path(job_id)}")
    return error_response(request, late, headers=where, id=job_id)
