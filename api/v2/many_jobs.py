"""The asynchronous extension, many jobs in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from ...jobs import JobRecord
from ...protocol import codec
from ...protocol.errors import InvalidRequest, JobNotFound, WherryError
from ...protocol.states import JobState
from ..access.caller import caller
from ..core.envelope import Envelope
from ..core.intake import CheckedRequest, Intake, PreparedJob
from ..core.service import Service
from ..core.submitter import Submitter
from ..core.views import inference_response, job_view, json_response
from ..egress.named_files import NamedFiles
from ..http import openapi_examples
from ..http.body import off_loop, read_document
from ..http.errors import error_body, status_of
from ..http.fast_route import FastRoute
from ..http.ids import shown_id
from ..http.prefer import bounded_wait

router = APIRouter(tags=["jobs"], route_class=FastRoute)

#: Results read at once: what may lie in memory beside those that fit the answer.
_AT_ONCE = 32


@router.post("/v2/jobs:batch", **openapi_examples.BATCH)
async def submit_batch(request: Request) -> Response:
    """Submit many jobs in one round trip; each has an outcome of its own."""
    service = Service.of(request)
    prepared = await _all_prepared(service, request)
    outcomes = await asyncio.gather(*(_stored(service.submitter, job) for job in prepared))
    records = iter(await service.records([o for o in outcomes if isinstance(o, str)]))
    return json_response({"jobs": [_outcome(i, o, records) for i, o in enumerate(outcomes)]})


async def _all_prepared(service: Service, request: Request) -> list[PreparedJob | WherryError]:
    checked, large = await _checked(service, request)
    envelope = Envelope.of(request)

    def work() -> list[PreparedJob | WherryError]:
        return [
            one if isinstance(one, WherryError) else _prepared(service.intake, one, envelope)
            for one in checked
        ]

    return await off_loop(work, large=large)


async def _checked(
    service: Service, request: Request
) -> tuple[list[CheckedRequest | WherryError], bool]:
    """The requests of a body, files named by URL fetched, and whether it was large."""
    document, large = await read_document(request, service.settings.max_body_bytes)
    entries, limit = document.get("jobs"), service.settings.max_jobs_per_batch
    if not isinstance(entries, list) or not 1 <= len(entries) <= limit:
        raise InvalidRequest(f"jobs: expected a list of 1 to {limit} entries")

    def reading(files: NamedFiles) -> list[CheckedRequest | WherryError]:
        return [_read(service.intake, entry, files) for entry in entries]

    return await service.intake.outbound.files.read(reading, in_thread=large), large


def _read(intake: Intake, entry: Any, files: NamedFiles) -> CheckedRequest | WherryError:
    try:
        if not isinstance(entry, dict) or not isinstance(entry.get("model_name"), str):
            raise InvalidRequest("expected an object with model_name and request")
        version = entry.get("model_version")
        if version is not None and not isinstance(version, str):
            raise InvalidRequest("model_version: expected a string")
        request = codec.request_of(entry.get("request"))
        return intake.check(request, entry["model_name"], version, files)
    except WherryError as error:
        return error


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
    index: int, outcome: str | WherryError, records: Iterator[JobRecord | None]
) -> dict[str, Any]:
    if isinstance(outcome, WherryError):
        return {"index": index, "status_code": status_of(outcome), **error_body(outcome)}
    return {"index": index, "status_code": 202, "job": _view(outcome, next(records))}


def _view(job_id: str, record: JobRecord | None) -> dict[str, Any]:
    if record is None:
        job_id = shown_id(job_id)
        return {"id": job_id, **error_body(JobNotFound(f"no job {job_id!r}"))}
    return job_view(record)


@router.post("/v2/jobs:status", **openapi_examples.STATUS)
async def read_statuses(request: Request) -> Response:
    """The states of many jobs; with `wait`, once one has ended; with `results`, answers too."""
    service = Service.of(request)
    document = (await read_document(request, service.settings.max_body_bytes)).fields
    ids = stored_ids(document, service.settings.max_jobs_per_batch)
    seconds = bounded_wait(str(document.get("wait", 0)), service.settings.max_wait_s)
    records = await service.wait_any(ids, seconds)
    views = [_view(job_id, record) for job_id, record in zip(ids, records, strict=True)]
    results = await _results(service, ids, views) if document.get("results") is True else {}
    return Response(_joined(views, results), media_type="application/json")


def stored_ids(document: Mapping[str, Any], limit: int) -> list[str]:
    """The `ids` of a body, as Redis has them. Raises InvalidRequest."""
    value, who = document.get("ids"), caller.get()
    if isinstance(value, list) and len(value) <= limit:
        ids = [who.stored(entry) for entry in value if isinstance(entry, str)]
        if len(ids) == len(value):
            return ids
    raise InvalidRequest(f"ids: expected a list of at most {limit} job ids")


async def _results(
    service: Service, ids: Sequence[str], views: Sequence[dict[str, Any]]
) -> dict[int, bytes]:
    """The succeeded jobs' InferenceResponses as JSON, by their places among the views.

    What goes beyond the bytes of one answer is marked in its view: the client asks again. The first
    goes out whatever its size, so that asking again gets on.
    """
    succeeded = [at for at, view in enumerate(views) if view.get("status") == JobState.SUCCEEDED]
    results: dict[int, bytes] = {}
    left = service.settings.max_results_bytes
    for start in range(0, len(succeeded), _AT_ONCE):
        places = succeeded[start : start + _AT_ONCE]
        read = [_result(service, ids[at]) for at in places] if left > 0 else []
        found = await asyncio.gather(*read)
        for at, result in zip_longest(places, found):
            if isinstance(result, WherryError):
                views[at].update(error_body(result))
            elif result is not None and (left >= len(result) or not results):
                results[at] = result
                left -= len(result)
            else:
                views[at]["result_omitted"] = True
                left = 0
    return results


async def _result(service: Service, job_id: str) -> bytes | WherryError:
    try:
        return bytes((await inference_response(await service.response(job_id))).body)
    except WherryError as error:
        return error


def _joined(views: Sequence[dict[str, Any]], results: Mapping[int, bytes]) -> bytes:
    """The answer; results are JSON already, and go in as they are."""
    jobs = [to_json(view) for view in views]
    for at, result in results.items():
        jobs[at] = b"".join((jobs[at][:-1], b',"result":', result, b"}"))
    return b'{"jobs":[%s]}' % b",".join(jobs)
