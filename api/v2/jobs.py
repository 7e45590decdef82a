"""The asynchronous extension, one job at a time: submit, poll, wait, read, cancel.

Specified in docs/async-extension.md.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ...jobs.read import result
from ...jobs.recover import cancel
from ...protocol import v2
from ...tasks.registry import get_task, task_names
from ..core.service import Service, outcome_error
from ..core.store_threads import in_store
from ..core.views import OCTETS, inference_response, job_response, job_view, request_response
from ..http import openapi_examples
from ..http.errors import error_response
from ..http.fast_route import FastRoute
from ..http.ids import job_path, path_job_id, shown_id
from ..http.prefer import Preferences, bounded_wait
from .submission import read_job

router = APIRouter(tags=["jobs"], route_class=FastRoute)


@router.post("/v2/models/{model}/jobs", **openapi_examples.SUBMIT)
@router.post("/v2/models/{model}/versions/{version}/jobs", **openapi_examples.SUBMIT)
async def submit_job(request: Request) -> Response:
    """Submit a request as a job. `Prefer: wait=10` holds the answer until it is done."""
    service = Service.of(request)
    prefer = Preferences.of(request, service.settings.max_wait_s)
    stored = await service.submitter.store(await read_job(request, use_id=True))
    headers = {"Location": job_path(stored.id)}
    if not prefer.wait_s:
        return job_response(await service.record(stored.id), 202, headers)
    record = await service.wait(stored.id, prefer.wait_s)
    return job_response(record, None, {**headers, "Preference-Applied": "wait"})


@router.get("/v2/jobs/{job_id}/result", **openapi_examples.RESULT)
async def get_result(request: Request) -> Response:
    """The InferenceResponse of a job that has succeeded; 202 while there is none yet."""
    service, job_id, query = Service.of(request), path_job_id(request), request.query_params
    record = await service.wait(job_id, _wait_s(service, request))
    if not record.status.terminal:
        return job_response(record)
    error = outcome_error(record)
    if error is not None:
        return error_response(request, error, id=shown_id(job_id), job=job_view(record))
    if query.get("redirect") == "true" or Preferences.of(request, 0).redirect:
        elsewhere = await _redirect(service, job_id)
        if elsewhere is not None:
            return elsewhere
    accepted = request.headers.get("accept", "")
    return await inference_response(
        await service.response(job_id),
        binary=query.get("binary") == "true" or "application/octet-stream" in accepted,
        outputs=[v2.RequestOutput(name=name) for name in query.getlist("output") if name] or None,
    )


@router.get("/v2/jobs/{job_id}/request", **openapi_examples.REQUEST)
async def get_request(request: Request) -> Response:
    """The InferenceRequest of a job, in normal form, as long as it is there."""
    service, job_id = Service.of(request), path_job_id(request)
    record = await service.record(job_id)  # before anything is read: it may be another's
    accepted = request.headers.get("accept", "")
    binary = request.query_params.get("binary") == "true" or OCTETS in accepted
    texts = _text_inputs(record.task)
    return await request_response(await service.asked(job_id), texts=texts, binary=binary)


def _text_inputs(task: str) -> frozenset[str]:
    """Names of a task's inputs whose elements are text, which is kept as the bytes of files are."""
    if task not in task_names():
        return frozenset()  # one of a package that is no longer there
    is_text = ("text", "json")
    return frozenset(spec.name for spec in get_task(task).inputs if spec.content in is_text)


async def _redirect(service: Service, job_id: str) -> Response | None:
    """The way to the stored bytes; None when they are not where a client can get them."""
    stored = await service.queue.run(result(job_id, service.jobs))
    if stored is None or not stored.ref:
        return None
    url = await in_store(service.store.url, stored.ref)
    if url is None:
        return None
    # The store knows no such header, so it is told here where the JSON ends.
    return RedirectResponse(
        url, 307, {"Inference-Header-Content-Length": str(stored.header_length)}
    )


@router.post("/v2/jobs/{job_id}/cancel", **openapi_examples.JOB_ANSWER)
async def cancel_job(request: Request) -> Response:
    """Cancel: at once while it waits, at its batch's end while it runs. Harmless afterwards."""
    service, job_id = Service.of(request), path_job_id(request)
    await service.record(job_id)  # before anything is done: it may be another's
    await service.queue.run(cancel(job_id, service.jobs))
    return job_response(await service.record(job_id), 200)


@router.get("/v2/jobs/{job_id}", **openapi_examples.JOB_ANSWER)
async def get_job(request: Request) -> Response:
    """A job's state: 202 while it waits or runs, 200 at its end. `?wait=20` long-polls."""
    service = Service.of(request)
    return job_response(await service.wait(path_job_id(request), _wait_s(service, request)))


def _wait_s(service: Service, request: Request) -> float:
    """Seconds of a long poll: `?wait=`, else `Prefer: wait=`."""
    longest_s = service.settings.max_wait_s
    asked = request.query_params.get("wait")
    if asked is not None:
        return bounded_wait(asked, longest_s)
    return Preferences.of(request, longest_s).wait_s or 0.0
