"""Inference as pixano 0.7 asks for it (`/inference/...`, snake_case), and pixano 0.8,
pixano-inference-client 0.1 and 0.2 and pixano-inference 0.7.1 do (`/v1/...`, camelCase).
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...core.service import Service
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from . import calls
from .capabilities import TRACKING, named
from .errors import error_of
from .responses import Wire

old = APIRouter(prefix="/inference", tags=["pixano"], route_class=FastRoute)
new = APIRouter(prefix="/v1", tags=["pixano"], route_class=FastRoute)


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
