"""The asynchronous extension: submit, poll, wait, read, cancel, list. Spec: docs/async-extension.md."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic_core import from_json, to_json

from ..jobs.read import list_jobs, result
from ..jobs.recover import cancel
from ..protocol import codec, v2
from ..protocol.errors import InvalidRequest, JobNotFound, WherryError
from ..protocol.states import JobState
from . import examples
from .body import header_length, read_body
from .errors import error_body, error_response, status_of
from .ids import checked_id, job_path
from .service import Service, outcome_error
from .views import change_view, inference_response, job_view, json_response
from .waiters import wait_for

router = APIRouter(tags=["jobs"])

_WAIT = re.compile(r"\bwait\s*=\s*(\d+(?:\.\d+)?)")


@router.post("/v2/models/{model}/jobs", openapi_extra=examples.INFER, status_code=202)
@router.post(
    "/v2/models/{model}/versions/{version}/jobs", openapi_extra=examples.INFER, status_code=202
)
async def submit_job(request: Request) -> Response:
    """Submit a request as a job. `Prefer: wait=10` holds the answer until it is done."""
    service, path = Service.of(request), request.path_params
    body = await read_body(request, service.settings.max_body_bytes)
    job = service.intake.prepare(
        codec.decode_request(body, header_length(request)),
        path["model"],
        path.get("version"),
        idempotency_key=_idempotency_key(request),
    )
    stored = await service.intake.store_job(job)
    wanted = _WAIT.search(request.headers.get("prefer", ""))
    seconds = _bounded(service, wanted.group(1)) if wanted else 0.0
    record = await service.wait(stored.id, seconds)
    status = 200 if record.status.terminal and seconds else 202
    return json_response(job_view(record), status, {"Location": job_path(stored.id)})


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    return checked_id(key) if key else ""


def _bounded(service: Service, seconds: str) -> float:
    try:
        asked = float(seconds)
    except ValueError:
        raise InvalidRequest(f"wait: {seconds[:40]!r} is not a number of seconds") from None
    if not asked >= 0:
        raise InvalidRequest("wait: seconds cannot be negative")
    return min(asked, service.settings.max_wait_s)


@router.get("/v2/jobs/{job_id:path}/result")
async def get_result(request: Request) -> Response:
    """The InferenceResponse of a job that has succeeded; 202 while there is none yet."""
    service, job_id = Service.of(request), request.path_params["job_id"]
    query = request.query_params
    record = await service.wait(job_id, _bounded(service, query.get("wait", "0")))
    if not record.status.terminal:
        return json_response(job_view(record), 202, {"Retry-After": "1"})
    error = outcome_error(record)
    if error is not None:
        return error_response(error, id=job_id, job=job_view(record))
    if query.get("redirect") == "true" or "redirect" in request.headers.get("prefer", ""):
        stored = await service.queue.run(result(job_id, service.jobs))
        url = service.store.url(stored.ref) if stored and stored.ref else None
        if url:
            return RedirectResponse(url, 307)
    binary = (
        query.get("binary") == "true"
        or "application/octet-stream" in request.headers.get("accept", "")
    )
    names = [v2.RequestOutput(name=name) for name in query.getlist("output")]
    return inference_response(
        await service.response(job_id), binary=binary, outputs=names or None
    )


@router.get("/v2/jobs/{job_id:path}/events")
async def get_events(request: Request) -> Response:
    """Server-sent events, one a state change; `Last-Event-ID` replays what was missed."""
    service, job_id = Service.of(request), request.path_params["job_id"]
    seen = request.headers.get("last-event-id", "0")
    if not seen.isdigit():
        raise InvalidRequest("Last-Event-ID: expected the number of an event")
    await service.record(job_id)
    return StreamingResponse(
        _events(service, job_id, int(seen)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(service: Service, job_id: str, seen: int) -> AsyncIterator[bytes]:
    last = time.monotonic()
    async with service.waiters.watching([job_id]) as changed:
        while True:
            changed.clear()
            try:
                record = await service.record(job_id)
            except JobNotFound:
                return
            for number in range(seen, len(record.history)):
                view = {"id": job_id, **change_view(record, number)}
                yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
                    number + 1,
                    record.history[number].status.value.encode(),
                    to_json(view),
                )
                last = time.monotonic()
            seen = max(seen, len(record.history))
            if record.status.terminal:
                return
            if time.monotonic() - last > 15:
                yield b": still here\n\n"  # keeps proxies from closing a quiet stream
                last = time.monotonic()
            await wait_for(changed, 15)


@router.post("/v2/jobs/{job_id:path}/cancel")
async def cancel_job(request: Request) -> Response:
    """Cancel: at once while it waits, at its batch's end while it runs. Harmless afterwards."""
    service, job_id = Service.of(request), request.path_params["job_id"]
    await service.queue.run(cancel(job_id, service.jobs))
    return json_response(job_view(await service.record(job_id)))


@router.get("/v2/jobs/{job_id:path}")
async def get_job(request: Request) -> Response:
    """A job's state: 202 while it waits or runs, 200 at its end. `?wait=20` long-polls."""
    service = Service.of(request)
    seconds = _bounded(service, request.query_params.get("wait", "0"))
    record = await service.wait(request.path_params["job_id"], seconds)
    if record.status.terminal:
        return json_response(job_view(record))
    return json_response(job_view(record), 202, {"Retry-After": "1"})


@router.get("/v2/jobs")
async def get_jobs(request: Request) -> Response:
    """Jobs, newest first: `?status=&model=&limit=&after=`."""
    service, query = Service.of(request), request.query_params
    status, limit = query.get("status", ""), query.get("limit", "50")
    if status and status not in set(JobState):
        raise InvalidRequest(f"status: one of {', '.join(JobState)}")
    if not limit.isdigit() or not 1 <= int(limit) <= 1000:
        raise InvalidRequest("limit: 1 to 1000")
    after = query.get("after", "")
    if after and not after.isdigit():
        raise InvalidRequest("after: expected the `next` of an earlier page")
    ids, following = await service.queue.run(
        list_jobs(
            service.jobs,
            status=status,
            model=query.get("model", ""),
            limit=int(limit),
            after=after,
        )
    )
    records = await service.records(ids)
    return json_response(
        {"jobs": [job_view(r) for r in records if r is not None], "next": following or None}
    )


@router.post("/v2/jobs:batch", openapi_extra=examples.BATCH)
async def submit_batch(request: Request) -> Response:
    """Submit many jobs in one round trip; each has an outcome of its own."""
    service = Service.of(request)
    entries = await _list(request, service, "jobs")
    limit = service.settings.max_jobs_per_batch
    if len(entries) > limit:
        raise InvalidRequest(f"jobs: {len(entries)} entries; send {limit} at most")
    outcomes = await asyncio.gather(*(_submit_entry(service, entry) for entry in entries))
    records = iter(await service.records([o for o in outcomes if isinstance(o, str)]))
    return json_response(
        {"jobs": [_outcome(i, o, records) for i, o in enumerate(outcomes)]}
    )


async def _submit_entry(service: Service, entry: Any) -> str | WherryError:
    try:
        if not isinstance(entry, dict) or not isinstance(entry.get("model_name"), str):
            raise InvalidRequest("expected an object with model_name and request")
        version = entry.get("model_version")
        request = v2.InferenceRequest.parse(entry.get("request"))
        for tensor in request.inputs:
            tensor.check()
        job = service.intake.prepare(request, entry["model_name"], version and str(version))
        return (await service.intake.store_job(job)).id
    except WherryError as error:
        return error


def _outcome(index: int, outcome: str | WherryError, records: Any) -> dict[str, Any]:
    if isinstance(outcome, WherryError):
        return {"index": index, "status_code": status_of(outcome), **error_body(outcome)}
    record = next(records)
    return {"index": index, "status_code": 202, "job": job_view(record) if record else None}


@router.post("/v2/jobs:status")
async def read_statuses(request: Request) -> Response:
    """The states of many jobs; with `wait`, once one has ended; with `results`, answers too."""
    service = Service.of(request)
    document = await _document(request, service)
    ids, wait = document.get("ids"), document.get("wait", 0)
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids) or len(ids) > 1000:
        raise InvalidRequest("ids: expected a list of at most 1000 job ids")
    records = await service.wait_any(ids, _bounded(service, str(wait)))
    views = [
        job_view(record)
        if record
        else {"id": job_id, **error_body(JobNotFound(f"no job {job_id!r}"))}
        for job_id, record in zip(ids, records, strict=True)
    ]
    if document.get("results") is True:
        await asyncio.gather(*(_add_result(service, view) for view in views))
    return json_response({"jobs": views})


async def _add_result(service: Service, view: dict[str, Any]) -> None:
    """Put a succeeded job's InferenceResponse beside its state, as JSON."""
    if view.get("status") != JobState.SUCCEEDED:
        return
    try:
        answer = inference_response(await service.response(view["id"]))
    except WherryError as error:
        view |= error_body(error)
    else:
        view["result"] = from_json(bytes(answer.body))


async def _document(request: Request, service: Service) -> dict[str, Any]:
    body = await read_body(request, service.settings.max_body_bytes)
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {type(document).__name__}")
    return document


async def _list(request: Request, service: Service, field: str) -> list[Any]:
    entries = (await _document(request, service)).get(field)
    if not isinstance(entries, list) or not entries:
        raise InvalidRequest(f"{field}: expected a list with at least one entry")
    return entries
