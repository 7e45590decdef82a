"""`/models/{model}`: one path for every task, as Hugging Face's inference servers have it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from ....protocol.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotReady,
    PayloadTooLarge,
    WherryError,
)
from ....tasks.base import Task, TaskInput
from ....tasks.catalog import ModelDeclaration
from ....tasks.text.generation import GenerationInput
from ...core.model_loading import failure_of
from ...core.models import ready_response, why_unavailable
from ...core.run_and_wait import answer
from ...core.service import Service
from ...egress.named_files import NO_FILES, NamedFiles
from ...http import errors
from ...http.body import parsed, read_body
from ...http.fast_route import FastRoute
from . import requests_media, requests_text, responses_media, responses_text
from .parameters import fields
from .requests import HfRequest, Rows, read_request, takes_file
from .responses import Answered, Raw
from .token_stream import stream_response, with_details

router = APIRouter(tags=["hugging face"], route_class=FastRoute)

READERS = {**requests_text.READERS, **requests_media.READERS}
WRITERS = {**responses_text.WRITERS, **responses_media.WRITERS}

#: Tasks that InferenceClient.text_generation asks for, which may want to know of tokens.
_DETAILED = ("chat", "text-generation", "text2text-generation")

#: Seconds after which a client may ask a model again that is loading.
_LOADING_S = 10


def error_shape(_: Request, status: int, error: WherryError) -> Mapping[str, object]:
    """The error as a text, since the JavaScript client shows no other; beside it the kinds that
    text-generation-inference has, which InferenceClient makes exceptions of.
    """
    kinds = {400: "validation", 413: "validation", 503: "overloaded"}
    kind: dict[str, object] = {"error_type": kinds[status]} if status in kinds else {}
    if isinstance(error, ModelNotReady) and error.retryable:
        kind["estimated_time"] = error.retry_after_s
    return {"error": error.message, **kind}


@router.get("/models/{model:path}/health")
@errors.shaped(error_shape)
async def health(request: Request) -> Response:
    """Whether a live worker serves the model."""
    service = Service.of(request)
    return await ready_response(service, service.catalog.find(request.path_params["model"]))


@router.post("/models/{model:path}")
@errors.shaped(error_shape)
async def infer(request: Request) -> Response:
    """Run a request of any task."""
    service = Service.of(request)
    model = service.catalog.find(request.path_params["model"])
    asked, rows, given = await _read_request(service, model, request)
    if asked.stream:
        return await stream_response(request, model, _streamed(model, given, rows))
    try:
        if model.task in _DETAILED and asked.parameters.get("details") is True and not rows.form:
            assert isinstance(given, GenerationInput)
            return _json(await with_details(request, model, given))
        output = await answer(request, model, given)
    except DeadlineExceeded:
        await _refuse_if_loading(service, model)
        raise
    # Pictures and maps take a while to write.
    return await asyncio.to_thread(_written, Answered(output, given, rows, asked), model.task)


async def _read_request(
    service: Service, model: ModelDeclaration, request: Request
) -> tuple[HfRequest, Rows, TaskInput]:
    """What is asked, as the input of the model's task. Raises InvalidRequest that names the task.

    Files are in the input alone: a client may wait long for its answer.
    """
    task = model.definition
    if task.name not in READERS:
        raise InvalidRequest(
            f"model {model.name!r} does {task.name}, which Hugging Face's clients have no form "
            f"for; use /v2/models/{model.name}/infer"
        )

    def parse(body: bytes) -> HfRequest:
        return read_request(task, body, request.headers, request.query_params.multi_items())

    reading = parsed(await read_body(request, service.settings.max_body_bytes), parse)
    try:
        found, large = await reading
        return await service.intake.outbound.files.read(
            lambda files: _read(task, found, files), in_thread=large
        )
    except PayloadTooLarge:
        raise
    except InvalidRequest as error:
        raise InvalidRequest(f"model {model.name!r} does {task.name}: {error.message}") from None


def _read(task: Task, found: HfRequest, files: NamedFiles) -> tuple[HfRequest, Rows, TaskInput]:
    # A reader takes some of the parameters out.
    asked = replace(found, parameters=dict(found.parameters), files=files)
    rows = READERS[task.name](asked)
    given = task.input.validated({**fields(task, asked.parameters), **rows.fields})
    if takes_file(task):
        asked = replace(asked, inputs=None, document={}, files=NO_FILES)
    return asked, rows, given


def _streamed(model: ModelDeclaration, given: TaskInput, rows: Rows) -> GenerationInput:
    """An input whose text can be streamed. Raises InvalidRequest."""
    if not isinstance(given, GenerationInput):
        raise InvalidRequest(f"stream: model {model.name!r} does {model.task}, which has no tokens")
    if rows.many:
        raise InvalidRequest("stream: one text at a time; send several requests")
    return given


async def _refuse_if_loading(service: Service, model: ModelDeclaration) -> None:
    """Say 503 where nobody serves the model yet. Raises ModelNotReady, ModelFailed."""
    fleet = await service.fleet()
    if why_unavailable(service, model, fleet):
        loading = ModelNotReady(f"model {model.name!r} is currently loading")
        loading.retry_after_s = _LOADING_S
        raise failure_of(model, fleet) or loading


def _written(answered: Answered, task: str) -> Response:
    written = WRITERS[task](answered)
    if isinstance(written, Raw):
        return Response(written.body, media_type=written.media_type)
    return _json(written)


def _json(body: object) -> Response:
    # JSON has no NaN; numpy reads null as one.
    return Response(to_json(body, inf_nan_mode="null"), media_type="application/json")
