"""The asynchronous extension, many jobs in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from ...jobs import JobRecord
from ...jobs.record import StoredResult
from ...protocol import codec, many
from ...protocol.errors import InvalidRequest, JobNotFound, WherryError
from ...protocol.json_kinds import in_words
from ...protocol.states import JobState
from ..access.caller import caller
from ..core.envelope import Envelope
from ..core.forms import are_formed
from ..core.intake import CheckedRequest, Intake
from ..core.new_job import PreparedJob
from ..core.service import Service
from ..core.submitter import Submitter
from ..core.views import (
    OCTETS,
    binary_response,
    inference_response,
    job_view,
    json_response,
)
from ..egress.named_files import NamedFiles
from ..http import openapi_examples
from ..http.body import Document, header_length, off_loop, parsed, read_body, read_document
from ..http.errors import error_body, status_of
from ..http.fast_route import FastRoute
from ..http.ids import shown_id
from ..http.prefer import Preferences, bounded_wait

router = APIRouter(tags=["jobs"], route_class=FastRoute)

#: Results read at once: what may lie in memory beside those that fit the answer.
_AT_ONCE = 32


@router.post("/v2/jobs:batch", **openapi_examples.BATCH)
async def submit_batch(request: Request) -> Response:
    """Submit many jobs in one round trip; each has an outcome of its own.

    The requests are JSON, or have their raw tensors behind it. `Prefer: return=minimal` asks for no
    more of a stored job than its id.
    """
    service = Service.of(request)
    prepared = await _all_prepared(service, request)
    outcomes = await asyncio.gather(*(_stored(service.submitter, job) for job in prepared))
    if Preferences.of(request, 0).minimal:
        return json_response({"jobs": [_outcome(i, o, _named) for i, o in enumerate(outcomes)]})
    records = iter(await service.records([o for o in outcomes if isinstance(o, str)]))
    view = partial(_next_view, records)
    return json_response({"jobs": [_outcome(i, o, view) for i, o in enumerate(outcomes)]})


async def _all_prepared(service: Service, request: Request) -> list[PreparedJob | WherryError]:
    checked, large = await _checked(service, request)
    envelope = Envelope.of(request)

    def work() -> list[PreparedJob | WherryError]:
        return [
            one if isinstance(one, WherryError) else _prepared(service.intake, one, envelope)
            for one in checked
        ]

    formed = (isinstance(one, CheckedRequest) and are_formed(one.inputs) for one in checked)
    return await off_loop(work, large=large or any(formed))


async def _checked(
    service: Service, request: Request
) -> tuple[list[CheckedRequest | WherryError], bool]:
    """The requests of a body, files named by URL fetched, and whether it was large."""
    document, large = await _read_submission(request, service.settings.max_body_bytes)
    entries, limit = document.get("jobs"), service.settings.max_jobs_per_batch
    if not isinstance(entries, list) or not 1 <= len(entries) <= limit:
        got = f"{len(entries)} of them" if isinstance(entries, list) else in_words(entries)
        raise InvalidRequest(f"jobs: expected a list of 1 to {limit} entries, got {got}")

    def reading(files: NamedFiles) -> list[CheckedRequest | WherryError]:
        return [_read(service.intake, entry, files) for entry in entries]

    return await service.intake.outbound.files.read(reading, in_thread=large), large


async def _read_submission(request: Request, max_bytes: int) -> Document:
    """The JSON of a body in either form; raw tensors are views of the body."""
    length = header_length(request)
    if length is None:
        return await read_document(request, max_bytes)
    body = await read_body(request, max_bytes)
    reading = parsed(body, lambda raw: many.decode_submission(raw, length))
    del body
    return Document(*await reading)


def _read(intake: Intake, entry: Any, files: NamedFiles) -> CheckedRequest | WherryError:
    try:
        model, version = _model_of(entry)
        if not isinstance(asked := entry.get("request"), dict):
            raise InvalidRequest(
                f"request: expected what one job's body holds, an object with inputs, "
                f"got {in_words(asked)}"
            )
        return intake.check(codec.request_of(asked), model, version, files)
    except WherryError as error:
        return error


def _model_of(entry: Any) -> tuple[str, str | None]:
    """The model that an entry names, and its version. Raises InvalidRequest."""
    if not isinstance(entry, dict):
        raise InvalidRequest(
            f"expected an object with model_name and request, got {in_words(entry)}"
        )
    model, version = entry.get("model_name"), entry.get("model_version")
    if not isinstance(model, str):
        raise InvalidRequest(
            f"model_name: expected a model's name, as POST /v2/repository/index lists them, "
            f"got {in_words(model)}"
        )
    if version is not None and not isinstance(version, str):
        raise InvalidRequest(f"model_version: expected a string, got {in_words(version)}")
    return model, version


def _prepared(
    intake: Intake, checked: CheckedRequest, envelope: Envelope
) -> PreparedJob | WherryError:
    try:
        return intake.prepare(checked, envelope)
    except WherryError as error:
        return error


async def _stored(submitter: Submitter, prepared: PreparedJob | WherryError) -> str | WherryError:
    if isinstance(prepared, WherryError):
        return prepared
    try:
        return (await submitter.store(prepared)).id
    except WherryError as error:
        return error


def _outcome(
    index: int, outcome: str | WherryError, view: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    if isinstance(outcome, WherryError):
        return {"index": index, "status_code": status_of(outcome), **error_body(outcome)}
    return {"index": index, "status_code": 202, "job": view(outcome)}


def _named(job_id: str) -> dict[str, Any]:
    return {"id": shown_id(job_id)}


def _next_view(records: Iterator[JobRecord | None], job_id: str) -> dict[str, Any]:
    return _view(job_id, next(records))


def _view(job_id: str, record: JobRecord | None) -> dict[str, Any]:
    if record is None:
        job_id = shown_id(job_id)
        return {"id": job_id, **error_body(JobNotFound(f"no job {job_id!r}"))}
    return job_view(record)


def _short_view(job_id: str, record: JobRecord | None) -> dict[str, Any]:
    """What a client that goes through many jobs needs of one: its state, and an error."""
    if record is None:
        return _view(job_id, record)
    view: dict[str, Any] = {"id": shown_id(record.id), "status": record.status.value}
    if record.error_type:
        view["error"] = {"type": record.error_type, "message": record.error}
    return view


@router.post("/v2/jobs:status", **openapi_examples.STATUS)
async def read_statuses(request: Request) -> Response:
    """The states of many jobs; with `wait`, once one has ended; with `results`, answers too.

    `Accept: application/octet-stream` has answers come as they are stored, raw tensors behind the
    JSON; `Prefer: return=minimal` asks for no more of a job than its state.
    """
    service = Service.of(request)
    document = (await read_document(request, service.settings.max_body_bytes)).fields
    ids = stored_ids(document, service.settings.max_jobs_per_batch)
    seconds = bounded_wait(str(document.get("wait", 0)), service.settings.max_wait_s)
    records = await service.wait_any(ids, seconds)
    told = _short_view if Preferences.of(request, 0).minimal else _view
    views = [told(job_id, record) for job_id, record in zip(ids, records, strict=True)]
    binary = OCTETS in request.headers.get("accept", "")
    wanted = document.get("results") is True
    results = await _results(service, ids, views, binary=binary) if wanted else {}
    return _joined(views, results, binary=binary)


def stored_ids(document: Mapping[str, Any], limit: int) -> list[str]:
    """The `ids` of a body, as Redis has them. Raises InvalidRequest."""
    value, who = document.get("ids"), caller.get()
    if isinstance(value, list) and len(value) <= limit:
        ids = [who.stored(entry) for entry in value if isinstance(entry, str)]
        if len(ids) == len(value):
            return ids
    got = f"{len(value)} entries" if isinstance(value, list) else in_words(value)
    raise InvalidRequest(f"ids: expected a list of at most {limit} job ids, all strings, got {got}")


async def _results(
    service: Service, ids: Sequence[str], views: Sequence[dict[str, Any]], *, binary: bool
) -> dict[int, StoredResult]:
    """The succeeded jobs' InferenceResponses, by their places among the views: JSON, or as they
    are stored.

    What goes beyond the bytes of one answer is marked in its view: the client asks again. The first
    goes out whatever its size, so that asking again gets on.
    """
    succeeded = [at for at, view in enumerate(views) if view.get("status") == JobState.SUCCEEDED]
    results: dict[int, StoredResult] = {}
    left = service.settings.max_results_bytes
    for start in range(0, len(succeeded), _AT_ONCE):
        places = succeeded[start : start + _AT_ONCE]
        read = [_result(service, ids[at], binary=binary) for at in places] if left > 0 else []
        found = await asyncio.gather(*read)
        for at, result in zip_longest(places, found):
            if isinstance(result, WherryError):
                views[at].update(error_body(result))
            elif result is not None and (left >= len(result.body) or not results):
                results[at] = result
                left -= len(result.body)
            else:
                views[at]["result_omitted"] = True
                left = 0
    return results


async def _result(service: Service, job_id: str, *, binary: bool) -> StoredResult | WherryError:
    try:
        stored = await service.response(job_id)
        if binary:
            return stored
        body = bytes((await inference_response(stored)).body)
    except WherryError as error:
        return error
    return StoredResult(body=body, header_length=len(body), ref="")


def _joined(
    views: Sequence[dict[str, Any]], results: Mapping[int, StoredResult], *, binary: bool
) -> Response:
    """The answer; results are JSON already, and go in as they are, their raw tensors behind."""
    jobs, raws = [to_json(view) for view in views], []
    for at, result in results.items():
        whole = memoryview(result.body)
        text, raw = whole[: result.header_length], whole[result.header_length :]
        jobs[at] = b"".join((jobs[at][:-1], b',"result":', text, b"}"))
        if raw:
            raws.append(raw)
    document = b'{"jobs":[%s]}' % b",".join(jobs)
    if not binary:
        return Response(document, media_type="application/json")
    return binary_response(b"".join((document, *raws)), len(document))
