"""Synchronous inference: a job like any other, and a wait for its end."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...protocol import codec
from ...protocol.states import JobState
from ..core.new_job import PreparedJob
from ..core.run_and_wait import no_answer, run
from ..core.service import Service, outcome_error
from ..core.views import inference_response, job_response
from ..http import openapi_examples
from ..http.errors import error_response
from ..http.fast_route import FastRoute
from ..http.ids import job_path, shown_id
from ..http.prefer import Preferences
from .submission import read_job

router = APIRouter(tags=["open inference protocol"], route_class=FastRoute)


@router.post("/v2/models/{model}/infer", **openapi_examples.INFER)
@router.post("/v2/models/{model}/versions/{version}/infer", **openapi_examples.INFER)
async def infer(request: Request) -> Response:
    """Run a request through the queue and wait for its answer; 504 names the job to poll."""
    service = Service.of(request)
    prefer = Preferences.of(request, service.settings.infer_timeout_s)
    # A waiting client's id is echoed, not used as the job's: OIP lets ids repeat.
    prepared = await read_job(request, use_id=prefer.respond_async)
    seconds = service.settings.infer_timeout_s if prefer.wait_s is None else prefer.wait_s
    if prefer.respond_async and prefer.wait_s is None:
        seconds = 0.0
    ended = await run(service, request.receive, prepared, seconds)
    if ended.status is not JobState.SUCCEEDED:
        return await _no_result(service, request, prepared, ended.id, ended.status)
    binary, names = codec.wants_binary(prepared.request)
    return await inference_response(
        ended.response or await service.response(ended.id),
        binary=binary,
        binary_names=names,
        response_id=prepared.request.id,
    )


async def _no_result(
    service: Service,
    request: Request,
    prepared: PreparedJob,
    job_id: str,
    status: JobState | None,
) -> Response:
    """Answer for a job that failed, or that has not ended yet."""
    where = {"Location": job_path(job_id)}
    record = await service.record(job_id) if status else None
    error = outcome_error(record) if record else None
    if error is not None:
        return error_response(request, error, id=prepared.request.id or shown_id(job_id))
    if record and Preferences.of(request, 0).respond_async:
        return job_response(record, 202, {**where, "Preference-Applied": "respond-async"})
    return error_response(request, no_answer(job_id), headers=where, id=shown_id(job_id))
