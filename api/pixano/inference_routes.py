"""Inference as pixano 0.7 asks for it (`/inference/...`, snake_case), and pixano 0.8,
pixano-inference-client 0.1 and 0.2 and pixano-inference 0.7.1 do (`/v1/...`, camelCase).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import WherryError
from ..door import REQUEST_ID
from ..errors import shaped
from ..plain import PlainRoute
from ..service import Service
from . import calls
from .answers import Wire
from .capabilities import TRACKING, named

old = APIRouter(prefix="/inference", tags=["pixano"], route_class=PlainRoute)
new = APIRouter(prefix="/v1", tags=["pixano"], route_class=PlainRoute)

#: What `/v1` calls a status; its clients hand the word on.
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "gone",
    413: "payload_too_large",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}


def error_of(request: Request, status: int, error: WherryError) -> Mapping[str, Any]:
    """An error as `/v1` tells it."""
    request_id = request.scope.get(REQUEST_ID, "")
    code = _CODES.get(status, "error")
    return {"error": {"code": code, "message": error.message, "requestId": request_id}}


# Before the capabilities, one of which `tracking` is.
@old.post("/tracking/jobs/")
@old.post("/tracking/jobs/binary")
async def submit_old(request: Request) -> Response:
    """Store a tracking request as a job; a form brings its frames as they are."""
    record = await calls.submit(request, TRACKING)
    return await calls.job(Service.of(request), record, Wire.SNAKE, 202)


@old.get("/tracking/jobs/{job_id}")
async def read_old(request: Request) -> Response:
    """A tracking job's state, and its masks once they are there."""
    return await calls.job(Service.of(request), await calls.known(request, TRACKING), Wire.SNAKE)


@old.delete("/tracking/jobs/{job_id}")
async def cancel_old(request: Request) -> Response:
    """Cancel a tracking job that has not ended."""
    return await calls.job(Service.of(request), await calls.give_up(request, TRACKING), Wire.SNAKE)


@old.post("/{capability}/")
@old.post("/{capability}/binary")
async def infer_old(request: Request) -> Response:
    """Run a request and answer its result; a form brings its files as they are."""
    return await calls.answer(request, named(request.path_params["capability"]), Wire.SNAKE)


@new.post("/inference/tracking/jobs")
@new.post("/inference/tracking/jobs/binary")
@shaped(error_of)
async def submit_job(request: Request) -> Response:
    """Store a tracking request as a job; a form brings its frames as they are."""
    record = await calls.submit(request, TRACKING)
    return await calls.job(Service.of(request), record, Wire.CAMEL, 202)


@new.get("/jobs/{job_id}")
@shaped(error_of)
async def read_job(request: Request) -> Response:
    """A job's state, and its data once it is there."""
    return await calls.job(Service.of(request), await calls.known(request), Wire.CAMEL)


@new.delete("/jobs/{job_id}")
@shaped(error_of)
async def cancel_job(request: Request) -> Response:
    """Cancel a job that has not ended."""
    return await calls.job(Service.of(request), await calls.give_up(request), Wire.CAMEL)


@new.post("/inference/{capability}")
@new.post("/inference/{capability}/binary")
@shaped(error_of)
async def infer(request: Request) -> Response:
    """Run a request and answer its result; a form brings its files as they are."""
    return await calls.answer(request, named(request.path_params["capability"]), Wire.CAMEL)
