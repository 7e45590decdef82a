"""Instill's model API over HTTP: the calls of its gateway that ask a model something.

Paths after the google.api.http annotations that instill-sdk 0.18 carries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from ....protocol import errors
from ....protocol.states import JobState
from ....tasks.base import TaskOutput
from ....tasks.catalog import ModelDeclaration
from ...core.health import why_not_ready
from ...core.run_and_wait import EndedJob, answer, output
from ...core.service import Service, outcome_error
from ...core.views import json_response
from ...egress.named_files import NamedFiles
from ...http.body import read_document
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from . import operations
from .trigger import FORMS, Layout, Plan, read, written

router = APIRouter(tags=["instill"], route_class=FastRoute)

_MODEL = "/v1alpha/namespaces/{namespace}/models/{model}"
_VERSION = _MODEL + "/versions/{version}"
_USER, _ORGANIZATION = "/v1alpha/users/{namespace}", "/v1alpha/organizations/{namespace}"
_OLDER = [
    f"{owner}/models/{{model}}{version}"
    for owner in (_USER, _ORGANIZATION)
    for version in ("", "/versions/{version}")
]

#: google.rpc.Code of our errors; the nearest class in an error's ancestry decides.
_CODES: dict[type[errors.WherryError], int] = {
    errors.WherryError: 13,  # INTERNAL
    errors.InvalidRequest: 3,  # INVALID_ARGUMENT
    errors.RowError: 3,
    errors.Unauthorized: 16,  # UNAUTHENTICATED
    errors.Forbidden: 7,  # PERMISSION_DENIED
    errors.NotFound: 5,
    errors.Conflict: 6,  # ALREADY_EXISTS
    errors.Unavailable: 14,
    errors.TenantLimit: 8,  # RESOURCE_EXHAUSTED
    errors.DeadlineExceeded: 4,
    errors.JobGone: 1,  # CANCELLED
}


def _code(error: errors.WherryError) -> int:
    return next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)


def error_shape(_: Request, __: int, error: errors.WherryError) -> dict[str, Any]:
    """An error as grpc-gateway writes a google.rpc.Status."""
    return {"code": _code(error), "message": error.message, "details": []}


@router.post(f"{_MODEL}/trigger")
@router.post(f"{_VERSION}/trigger")
@shaped(error_shape)
async def trigger(request: Request) -> Response:
    """Ask a model; the answers have the order of `taskInputs`, and one that fails fails all."""
    service = Service.of(request)
    model, plan = await _read_request(service, request)
    answers = await _answers(request, model, plan)
    return json_response(await _written(service, model, plan.layout, answers))


@router.post(f"{_MODEL}/trigger-async")
@router.post(f"{_VERSION}/trigger-async")
@shaped(error_shape)
async def trigger_async(request: Request) -> Response:
    """Ask a model and answer at once with the operation to poll."""
    service = Service.of(request)
    model, plan = await _read_request(service, request)
    started = await operations.start(request, model, plan)
    return json_response({"operation": started.view()})


for _path in _OLDER:
    router.post(f"{_path}/trigger", include_in_schema=False)(trigger)
    router.post(f"{_path}/triggerAsync", include_in_schema=False)(trigger_async)


@router.get("/v1alpha/operations/{operation}")
@shaped(error_shape)
async def operation(request: Request) -> Response:
    """How an operation stands; its answer or its error once it is done."""
    service = Service.of(request)
    asked = operations.Operation.of(request.path_params["operation"])
    found = await service.records(asked.jobs)
    records = [record for record in found if record is not None]
    if len(records) < len(found):
        raise errors.JobNotFound("no operation has that id; its jobs may be gone")
    model = asked.model(service, records)
    _form(service, model)
    for number, record in enumerate(records):
        error = outcome_error(record)
        if error is not None:
            error = asked.layout.blame(number, error)
            return json_response({"operation": asked.view(error=error, code=_code(error))})
    if not all(record.status.terminal for record in records):
        return json_response({"operation": asked.view()})
    try:
        ended = [EndedJob(record.id, JobState.SUCCEEDED) for record in records]
        answers = [await output(service, model, one) for one in ended]
        view = asked.view(answer=await _written(service, model, asked.layout, answers))
    except errors.InvalidRequest as error:
        view = asked.view(error=error, code=_code(error))
    return json_response({"operation": view})


@router.get("/v1alpha/models")
@router.get("/v1alpha/namespaces/{namespace}/models")
@shaped(error_shape)
async def models(request: Request) -> Response:
    """The models that can be triggered. Namespaces are nothing here: each has them all."""
    service = Service.of(request)
    names = [n for n in service.catalog.names() if service.catalog.get(n).task in FORMS]
    views = [_view(service, request, service.catalog.get(name)) for name in names]
    return json_response({"models": views, "nextPageToken": "", "totalSize": len(views)})


@router.get(_MODEL)
@shaped(error_shape)
async def model(request: Request) -> Response:
    """One model."""
    service = Service.of(request)
    found = _model(service, request)
    _form(service, found)
    return json_response({"model": _view(service, request, found)})


@router.get("/v1alpha/__liveness")
@router.get("/v1alpha/health/model")
async def liveness(_: Request) -> Response:
    """Whether this process answers."""
    return _health(serving=True)


@router.get("/v1alpha/__readiness")
@router.get("/v1alpha/ready/model")
async def readiness(request: Request) -> Response:
    """Whether models are served now."""
    return _health(serving=not await why_not_ready(Service.of(request)))


def _health(*, serving: bool) -> Response:
    status = "SERVING_STATUS_SERVING" if serving else "SERVING_STATUS_NOT_SERVING"
    return json_response({"healthCheckResponse": {"status": status}})


def _model(service: Service, request: Request) -> ModelDeclaration:
    """The model of a path: by its name, or by the hub id that namespace and model make."""
    path, catalog = request.path_params, service.catalog
    try:
        found = catalog.find(path["model"])
    except errors.ModelNotFound as unknown:
        try:
            found = catalog.find(f"{path['namespace']}/{path['model']}")
        except errors.ModelNotFound:
            raise unknown from None
    version = path.get("version", "latest")
    return found if version == "latest" else catalog.get(found.name, version)


def _form(service: Service, asked: ModelDeclaration) -> None:
    """Raise InvalidRequest for a model that Instill has no form for."""
    if asked.task in FORMS:
        return
    fit = [name for name in service.catalog.names() if service.catalog.get(name).task in FORMS]
    raise errors.InvalidRequest(
        f"model {asked.name!r} is of task {asked.task}, which Instill has no form for; "
        f"it has one for {', '.join(fit) or 'no model here'}"
    )


def _view(service: Service, request: Request, shown: ModelDeclaration) -> dict[str, Any]:
    namespace = request.path_params.get("namespace", "wherry")
    return {
        "name": f"namespaces/{namespace}/models/{shown.name}",
        "id": shown.name,
        "description": shown.definition.description,
        "task": shown.definition.aliases.instill,
        "visibility": "VISIBILITY_PUBLIC",
        "versions": list(service.catalog.versions(shown.name)),
    }


async def _read_request(service: Service, request: Request) -> tuple[ModelDeclaration, Plan]:
    found = _model(service, request)
    _form(service, found)
    document, large = await read_document(request, service.settings.max_body_bytes)

    def reading(files: NamedFiles) -> Plan:
        return read(document, found.definition, service.settings.max_rows_per_job, files)

    return found, await service.intake.outbound.files.read(reading, in_thread=large)


async def _answers(request: Request, found: ModelDeclaration, plan: Plan) -> Sequence[TaskOutput]:
    """An answer a job, all run at once. Raises the first job's error with its entry."""

    async def one(number: int) -> TaskOutput:
        try:
            return await answer(request, found, plan.jobs[number])
        except errors.WherryError as error:
            raise plan.layout.blame(number, error) from None

    if len(plan.jobs) == 1:
        return [await one(0)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(len(plan.jobs))]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def _written(
    service: Service,
    found: ModelDeclaration,
    layout: Layout,
    answers: Sequence[TaskOutput],
) -> dict[str, Any]:
    key = service.settings.instill_bounding_box_key
    return await asyncio.to_thread(written, found.definition, layout, answers, key)
