"""Inference as the seed's generation and pixano-inference 0.5.6 ask for it: `/tasks/...`.

The seed wants the result at once, 0.5.6 a Celery task to poll under the same path. Under `/pixano`
the result comes at once and can be read again; under `/pixano056` a task comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from ....jobs.record import JobRecord
from ....protocol.errors import NotFound
from ....protocol.states import JobState
from ...core.service import Service
from ...core.views import json_response
from ...http.fast_route import FastRoute
from ...http.ids import shown_id
from . import calls
from .capabilities import BY_PATH, Capability
from .responses import Wire

#: Job states as Celery names them. One that expired is told as failed: nothing else ends a poll.
_STATES: Mapping[JobState, str] = {
    JobState.QUEUED: "PENDING",
    JobState.RUNNING: "STARTED",
    JobState.SUCCEEDED: "SUCCESS",
    JobState.FAILED: "FAILURE",
    JobState.EXPIRED: "FAILURE",
    JobState.CANCELED: "REVOKED",
}

at_once = APIRouter(tags=["pixano"], route_class=FastRoute)
polled = APIRouter(tags=["pixano"], route_class=FastRoute)


@at_once.post("/tasks/{path:path}/")
async def infer(request: Request) -> Response:
    """Run a request and answer its result, with the job's id."""
    return await calls.answer(request, _capability(request), Wire.SNAKE)


@polled.post("/tasks/{path:path}/")
async def submit(request: Request) -> Response:
    """Store a request as a job and answer its id."""
    return _task(await calls.submit(request, _capability(request)))


@at_once.get("/tasks/{path:path}/{job_id}")
@polled.get("/tasks/{path:path}/{job_id}")
async def read_job(request: Request) -> Response:
    """A job's result, or its state as a Celery task's while it has none."""
    record = await calls.known(request, _capability(request))
    if record.status is not JobState.SUCCEEDED:
        return _task(record)
    return await calls.result(Service.of(request), record, Wire.SNAKE)


@at_once.delete("/tasks/{path:path}/{job_id}")
@polled.delete("/tasks/{path:path}/{job_id}")
async def cancel_job(request: Request) -> Response:
    """Cancel a job that has not ended."""
    return _task(await calls.give_up(request, _capability(request)))


def _capability(request: Request) -> Capability:
    path = request.path_params["path"]
    if path not in BY_PATH:
        raise NotFound(f"no task {path!r}; there are {', '.join(BY_PATH)}")
    return BY_PATH[path]


def _task(record: JobRecord) -> Response:
    return json_response({"id": shown_id(record.id), "status": _STATES[record.status]})
