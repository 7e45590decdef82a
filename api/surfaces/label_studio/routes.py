"""The calls of Label Studio's server, below `/label-studio/{model}`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from ....protocol.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotReady,
    Unavailable,
    WherryError,
)
from ....tasks.base import TaskOutput
from ....tasks.catalog import ModelDeclaration
from ...core.model_loading import failure_of
from ...core.models import why_unavailable
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...egress.named_files import NamedFiles
from ...http.body import read_body, read_document
from ...http.fast_route import FastRoute
from .config import Config, read_config
from .prompts import read_regions
from .requests import MediaPlaces, PredictCall, TaskRow, read_tasks
from .responses import check, failure, kinds_of, prediction, version_of

router = APIRouter(tags=["label studio"], route_class=FastRoute)

_BASE = "/label-studio/{model}"

#: Tasks of one call that are in the queue at a time.
_AT_ONCE = 32


@router.get(f"{_BASE}/health")
@router.get(_BASE)
@router.get(f"{_BASE}/")
async def health(request: Request) -> Response:
    """Whether the model is served: Label Studio shows the backend as connected, or not."""
    service = Service.of(request)
    model = service.declared(request)
    fleet = await service.fleet()
    if error := failure_of(model, fleet):
        raise error
    reason = why_unavailable(service, model, fleet)
    if reason:
        raise ModelNotReady(f"model {model.name!r}: {reason}")
    return json_response({"status": "UP", "model_class": model.name})


@router.post(f"{_BASE}/setup")
async def setup(request: Request) -> Response:
    """Check that the project can show what the model answers; nothing is kept."""
    service = Service.of(request)
    model = service.declared(request)
    document = (await read_document(request, service.settings.max_body_bytes)).fields
    check(model.definition, read_config(document.get("schema")))
    return json_response({"model_version": version_of(model)})


@router.post(f"{_BASE}/predict")
async def predict(request: Request) -> Response:
    """Predictions of many tasks, in their order; one that cannot be read or answered is empty.

    What may go better later fails the call: Label Studio would keep an empty prediction, and not
    ask again.
    """
    service = Service.of(request)
    model = service.declared(request)
    config, rows = await _read_request(service, model, request)
    results = await _predictions(request, model, config, rows)
    return json_response({"results": results, "model_version": version_of(model)})


@router.get(f"{_BASE}/versions")
async def versions(request: Request) -> Response:
    """The model's versions; the newest answers."""
    service = Service.of(request)
    model = service.declared(request)
    return json_response({"versions": [version_of(model)], "message": ""})


@router.post(f"{_BASE}/webhook")
@router.post(f"{_BASE}/train")
async def webhook(request: Request) -> Response:
    """Told of new annotations: nothing is trained here, and nothing is kept."""
    service = Service.of(request)
    service.declared(request)
    await read_body(request, service.settings.max_body_bytes)
    return json_response({"status": "ignored", "message": "models are not trained here"})


async def _read_request(
    service: Service, model: ModelDeclaration, request: Request
) -> tuple[Config, list[list[TaskRow] | WherryError]]:
    settings, task = service.settings, model.definition
    document, _ = await read_document(request, settings.max_body_bytes)
    config = read_config(document.get("label_config"))
    check(task, config)
    parameters = document.get("params")
    context = parameters.get("context") if isinstance(parameters, dict) else None
    asked = PredictCall(task, config, kinds_of(task), read_regions(context))

    def reading(files: NamedFiles) -> list[list[TaskRow] | WherryError]:
        places = MediaPlaces(
            settings.label_studio_uploads, settings.label_studio_local_files, files
        )
        return read_tasks(document.get("tasks"), asked, places)

    return config, await service.intake.outbound.files.read(reading, in_thread=True)


async def _predictions(
    request: Request,
    model: ModelDeclaration,
    config: Config,
    tasks: list[list[TaskRow] | WherryError],
) -> list[dict[str, Any]]:
    """A prediction a task: each of its rows is a job, and workers make batches of them."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def of_row(row: TaskRow) -> tuple[TaskRow, TaskOutput] | WherryError:
        async with places:
            try:
                return row, await answer(request, model, row.given)
            except (Unavailable, DeadlineExceeded):
                raise
            except WherryError as error:
                return error

    async def one(rows: list[TaskRow] | WherryError) -> dict[str, Any]:
        if isinstance(rows, WherryError):
            return failure(model, rows)
        try:
            found = await asyncio.gather(*map(of_row, rows))
            answered = [each for each in found if not isinstance(each, WherryError)]
            if error := next((each for each in found if isinstance(each, WherryError)), None):
                return failure(model, error)
            return await asyncio.to_thread(prediction, model, config, answered)
        except InvalidRequest as error:
            return failure(model, error)

    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one(rows)) for rows in tasks]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in asked]
