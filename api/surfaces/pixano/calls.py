"""From a Pixano request to a job, and from a job to what its client reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from ....jobs.record import JobRecord
from ....jobs.recover import cancel
from ....protocol import codec, v2
from ....protocol.errors import DeadlineExceeded, InvalidRequest, JobNotFound
from ....protocol.states import JobState
from ....tasks.catalog import ModelDeclaration
from ....tasks.registry import get_task
from ....tasks.text.texts import TEXT
from ...access.caller import caller
from ...core.envelope import Envelope
from ...core.new_job import PreparedJob
from ...core.run_and_wait import run
from ...core.service import Service, outcome_error
from ...http.body import json_object, off_loop, parsed, read_body
from ...http.ids import shown_id
from ...http.multipart import is_form, read_form
from .capabilities import Capability, model_for, of_task
from .requests import Ask, TaskRequest
from .responses import Wire, write_answer

#: Between a job's id and the number that its answer has to be read with (`asks.Given`). It goes
#: in the id because a result outlives its request, and this process.
_NUMBER = "~"

#: Job states as 0.7 and `/v1` name them: there are no others.
_STATES: Mapping[JobState, str] = {
    JobState.QUEUED: "running",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.EXPIRED: "failed",
    JobState.CANCELED: "canceled",
}


async def prepare(request: Request, capability: Capability) -> PreparedJob:
    """Make a job of a request, JSON or a form. Raises ModelNotFound, InvalidRequest."""
    service, envelope = Service.of(request), Envelope.of(request, repeatable=True)
    model, given, large = await _read_request(request, capability)
    prepared = await off_loop(
        lambda: service.intake.prepare_input(given.input, model, envelope), large=large
    )
    if not given.number:
        return prepared
    job = replace(prepared.job, id=f"{prepared.job.id}{_NUMBER}{given.number}")
    return replace(prepared, job=job)


async def _read_request(
    request: Request, capability: Capability
) -> tuple[ModelDeclaration, TaskRequest, bool]:
    """The model that is asked, what it is given, and whether that is large."""
    service, content_type = Service.of(request), request.headers.get("content-type", "")

    def parse(body: bytes) -> Ask:
        return _ask(body, content_type, capability)

    ask, large = await parsed(await read_body(request, service.settings.max_body_bytes), parse)
    model = model_for(service.catalog, ask.model, capability)
    given = await service.intake.outbound.files.read(
        lambda files: ask.task_request(model, files), in_thread=large
    )
    return model, given, large


def _ask(body: bytes, content_type: str, capability: Capability) -> Ask:
    fields = (
        _of_form(read_form(body, content_type), capability)
        if is_form(content_type)
        else json_object(body)
    )
    try:
        return capability.ask.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(v2.describe(error, capability.ask)) from None


def _of_form(parts: Mapping[str, list[memoryview]], capability: Capability) -> dict[str, Any]:
    """A form's `metadata`, which is JSON, and its files."""
    field, part = capability.ask.FORM
    if not field:
        raise InvalidRequest(f"{capability.name}: takes JSON, no form")
    if "metadata" not in parts:
        raise InvalidRequest("metadata: the form has no such part")
    if part not in parts:
        raise InvalidRequest(f"{part}: the form has no such part")
    files = [bytes(file) for file in parts[part]]
    fields = json_object(bytes(parts["metadata"][0]))
    return {**fields, field: files if part == "frames" else files[0]}


async def answer(request: Request, capability: Capability, wire: Wire) -> Response:
    """Run a request and answer its result. A job that takes too long is canceled: nobody knows it,
    and clients that see a 504 send the whole request again.
    """
    service = Service.of(request)
    prepared = await prepare(request, capability)
    ended = await run(service, request.receive, prepared, service.settings.infer_timeout_s)
    record = await service.record(ended.id)
    if not record.status.terminal:
        if prepared.fresh:
            await service.queue.run(cancel(ended.id, service.jobs))
        raise DeadlineExceeded(
            f"no answer within {service.settings.infer_timeout_s:g} s; send long requests as jobs"
        )
    return await result(service, record, wire, text=_text(prepared))


async def submit(request: Request, capability: Capability) -> JobRecord:
    """Store a request as a job."""
    service = Service.of(request)
    stored = await service.submitter.store(await prepare(request, capability))
    return await service.record(stored.id)


async def known(request: Request, capability: Capability | None = None) -> JobRecord:
    """The job that a path names, of that capability if one is said. Raises JobNotFound."""
    job_id = request.path_params["job_id"]
    record = await Service.of(request).record(caller.get().stored(job_id))
    if of_task(record.task) is not (capability or of_task(record.task)):
        raise JobNotFound(f"job {job_id!r} is none of this path's")
    return record


async def give_up(request: Request, capability: Capability | None = None) -> JobRecord:
    """Cancel the job that a path names; one that has ended stays as it is. Raises JobNotFound."""
    service, record = Service.of(request), await known(request, capability)
    await service.queue.run(cancel(record.id, service.jobs))
    return await service.record(record.id)


async def result(service: Service, record: JobRecord, wire: Wire, *, text: str = "") -> Response:
    """An ended job's result; `text` is what was asked about. Raises the job's error."""
    error = outcome_error(record)
    if error is not None:
        raise error
    view = {"id": shown_id(record.id), "status": "SUCCESS", **_frame(record)}
    return await _with_data(service, record, wire, view, text=text)


async def job(service: Service, record: JobRecord, wire: Wire, status: int = 200) -> Response:
    """A job's state, with its data once it has some."""
    error = outcome_error(record)
    view = {
        "job_id": shown_id(record.id),
        "status": _STATES[record.status],
        "detail": error.message if error else None,
        **_frame(record),
    }
    if record.status is JobState.SUCCEEDED:
        return await _with_data(service, record, wire, view, status)
    return _json(wire.write({**view, "data": None}), status)


def _frame(record: JobRecord) -> dict[str, Any]:
    """What every answer says around its data."""
    ended, started = record.finished_at_ms, record.started_at_ms
    at = datetime.fromtimestamp((ended or record.created_at_ms) / 1000, UTC)
    return {
        # Not with a Z, which Python before 3.11 does not read.
        "timestamp": at.isoformat(timespec="milliseconds"),
        "processing_time": (ended - started) / 1000 if ended and started else 0.0,
        "metadata": {
            "model": record.group.model,
            "version": record.group.version,
            "task": record.task,
        },
    }


async def _with_data(
    service: Service,
    record: JobRecord,
    wire: Wire,
    view: Mapping[str, Any],
    status: int = 200,
    *,
    text: str = "",
) -> Response:
    stored = await service.response(record.id)

    def work() -> Response:
        response = codec.decode_response(stored.body, stored.header_length)
        output = get_task(record.task).output.from_inference_response(response)
        data = write_answer(output, _number(record.id), text)
        return _json(wire.write({**view, "data": data}), status)

    return await asyncio.to_thread(work)


def _text(prepared: PreparedJob) -> str:
    """The text of a request about one; "" for others."""
    job = prepared.job
    inputs = codec.decode_request(job.payload, job.header_length).inputs
    found = [tensor.texts() for tensor in inputs if tensor.name == TEXT.name]
    return found[0][0] if found else ""


def _number(job_id: str) -> int:
    number = job_id.rpartition(_NUMBER)[2]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _json(document: Any, status: int) -> Response:
    return Response(to_json(document), status, media_type="application/json")
