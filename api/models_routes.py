"""OIP v2: health, metadata, inference, the model repository, statistics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json

from .. import __version__
from ..jobs.fleet import FleetView, set_loaded, stats, view
from ..jobs.record import Record
from ..jobs.recover import cancel
from ..protocol import codec, v2
from ..protocol.errors import DeadlineExceeded, InvalidRequest, Unavailable
from ..tasks.catalog import ModelDeclaration
from . import examples
from .body import header_length, read_body
from .errors import error_response
from .ids import job_path
from .service import Service, outcome_error
from .views import inference_response, json_response, timestamp

router = APIRouter(tags=["open inference protocol"])

EXTENSIONS = [
    "binary_tensor_data",
    "model_repository",
    "schedule_policy",
    "parameters",
    "statistics",
    "async_jobs",
]


@router.get("/v2")
async def server_metadata() -> Response:
    """Name, version, extensions."""
    server = v2.ServerMetadata(name="wherry", version=__version__, extensions=EXTENSIONS)
    return json_response(server.model_dump())


@router.get("/v2/health/live")
async def live() -> Response:
    """Whether this process answers."""
    return json_response({"live": True})


@router.get("/v2/health/ready")
async def ready(request: Request) -> Response:
    """Whether Redis answers and every declared model's family has a live worker."""
    service = Service.of(request)
    try:
        missing = _unserved(service, await _fleet(service))
    except Unavailable as error:
        missing = [error.message]
    if missing:
        return json_response({"ready": False, "reasons": missing}, 503, {"Retry-After": "1"})
    return json_response({"ready": True})


async def _fleet(service: Service) -> FleetView:
    return await service.queue.run(view(service.jobs))


def _unserved(service: Service, fleet: FleetView) -> list[str]:
    served: set[object] = set()
    for worker in fleet.workers:
        families = worker.info.get("families")
        if worker.alive and isinstance(families, list):
            served.update(families)
    return [f"no worker for family {f!r}" for f in service.catalog.families() if f not in served]


def _declared(request: Request) -> ModelDeclaration:
    path = request.path_params
    return Service.of(request).catalog.get(path["model"], path.get("version"))


@router.get("/v2/models/{model}")
@router.get("/v2/models/{model}/versions/{version}")
async def model_metadata(request: Request) -> Response:
    """What a model takes and gives, with its limits and parameters."""
    service, declared = Service.of(request), _declared(request)
    task = declared.definition
    metadata = v2.ModelMetadata(
        name=declared.name,
        versions=list(service.catalog.versions(declared.name)),
        platform=f"wherry_{declared.backend}",
        inputs=[spec.metadata() for spec in task.inputs],
        outputs=[spec.metadata() for spec in task.outputs],
        parameters={
            "task": task.name,
            "family": task.family,
            "max_batch_size": declared.max_batch_size,
            "max_rows_per_job": service.settings.max_rows_per_job,
            "max_body_bytes": service.settings.max_body_bytes,
            "request_parameters": {p.name: dict(p.schema) for p in task.parameters},
        },
    )
    return json_response(metadata.model_dump(mode="json", exclude_none=True))


@router.get("/v2/models/{model}/ready")
@router.get("/v2/models/{model}/versions/{version}/ready")
async def model_ready(request: Request) -> Response:
    """Whether a live worker serves the model and it is not unloaded."""
    declared = _declared(request)
    reason = _reason(declared, await _fleet(Service.of(request)))
    body: dict[str, Any] = {"name": declared.name, "ready": not reason}
    return json_response({**body, "reason": reason} if reason else body, 503 if reason else 200)


def _reason(declared: ModelDeclaration, fleet: FleetView) -> str:
    """Why a model is unavailable; "" when it is not."""
    if declared.name in fleet.unloaded:
        return "unloaded"
    for worker in fleet.workers:
        models = worker.info.get("models")
        if worker.alive and isinstance(models, list) and declared.name in models:
            return ""
    return "no worker serves it now"


@router.post("/v2/models/{model}/infer", openapi_extra=examples.INFER)
@router.post("/v2/models/{model}/versions/{version}/infer", openapi_extra=examples.INFER)
async def infer(request: Request) -> Response:
    """Run a request through the queue and wait for its answer; 504 names the job to poll."""
    service, path = Service.of(request), request.path_params
    body = await read_body(request, service.settings.max_body_bytes)
    wanted = codec.decode_request(body, header_length(request))
    # The client's id is echoed, not used as the job's: OIP lets ids repeat.
    job = service.intake.prepare(
        wanted.model_copy(update={"id": None}), path["model"], path.get("version")
    )
    stored = await service.intake.store_job(job)
    record = await _wait_or_cancel(service, request, stored.id)
    if not record.status.terminal:
        late = DeadlineExceeded(f"no answer yet; poll {job_path(stored.id)}")
        response = error_response(late, id=stored.id)
        response.headers["Location"] = job_path(stored.id)
        return response
    error = outcome_error(record)
    if error is not None:
        return error_response(error, id=wanted.id)
    result = await service.response(stored.id)
    binary, names = codec.wants_binary(wanted)
    if wanted.id is not None:
        result = _echo_id(result, wanted.id)
    return inference_response(result, binary=binary, binary_names=names)


def _echo_id(stored: Any, request_id: str) -> Any:
    response = codec.decode_response(stored.body, stored.header_length)
    raw = {tensor.name for tensor in response.outputs if tensor.is_raw}
    body, length = codec.encode_response(
        response.model_copy(update={"id": request_id}), binary_names=raw
    )
    return type(stored)(body=body, header_length=length or len(body), ref="")


async def _wait_or_cancel(service: Service, request: Request, job_id: str) -> Record:
    """Wait for the job; when the client hangs up, cancel it: nobody would read the answer."""
    waiting = asyncio.create_task(service.wait(job_id, service.settings.infer_timeout_s))
    done, _ = await asyncio.wait([waiting], timeout=0.25)
    while not done:
        if await request.is_disconnected():
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            await service.queue.run(cancel(job_id, service.jobs))
            raise InvalidRequest("the client hung up")
        done, _ = await asyncio.wait([waiting], timeout=0.25)
    return waiting.result()


@router.get("/v2/models/stats")
@router.get("/v2/models/{model}/stats")
@router.get("/v2/models/{model}/versions/{version}/stats")
async def model_stats(request: Request) -> Response:
    """Counters in the shape of Triton's statistics extension."""
    service = Service.of(request)
    if "model" in request.path_params:
        models = [_declared(request)]
    else:
        models = list(service.catalog.models)
    counted = await asyncio.gather(
        *(service.queue.run(stats(m.name, m.version, service.jobs)) for m in models)
    )
    return json_response(
        {"model_stats": [_stats(m, c) for m, c in zip(models, counted, strict=True)]}
    )


def _stats(model: ModelDeclaration, counted: dict[str, int]) -> dict[str, Any]:
    good, bad = counted.get("success_count", 0), counted.get("fail_count", 0)
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.get("last_inference", 0),
        "inference_count": counted.get("inference_count", 0),
        "execution_count": counted.get("execution_count", 0),
        "inference_stats": {
            "success": {"count": good, "ns": counted.get("total_us", 0) * 1000},
            "fail": {"count": bad, "ns": 0},
            "queue": {"count": good + bad, "ns": counted.get("queue_us", 0) * 1000},
            "compute_infer": {"count": good + bad, "ns": counted.get("compute_us", 0) * 1000},
        },
        "batch_stats": [],
        "parameters": {
            "batch_fill": round(
                counted.get("inference_count", 0) / max(1, counted.get("capacity", 0)), 4
            )
        },
    }


@router.post("/v2/repository/index")
async def repository_index(request: Request) -> Response:
    """Every declared model and its state; `{"ready": true}` keeps the ready ones."""
    service = Service.of(request)
    body = await read_body(request, service.settings.max_body_bytes)
    only_ready = bool(_options(body).get("ready", False))
    fleet, entries = await _fleet(service), []
    for model in service.catalog.models:
        reason = _reason(model, fleet)
        if reason and only_ready:
            continue
        state = "UNAVAILABLE" if reason else "READY"
        entries.append(
            {"name": model.name, "version": model.version, "state": state, "reason": reason}
        )
    return json_response(entries)


def _options(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        options = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(options, dict):
        raise InvalidRequest("expected a JSON object")
    return options


@router.post("/v2/repository/models/{model}/load")
async def load_model(request: Request) -> Response:
    """Open a model to requests again."""
    return await _set_loaded(request, loaded=True)


@router.post("/v2/repository/models/{model}/unload")
async def unload_model(request: Request) -> Response:
    """Close a model to new requests; jobs that wait are still done."""
    return await _set_loaded(request, loaded=False)


async def _set_loaded(request: Request, *, loaded: bool) -> Response:
    service, declared = Service.of(request), _declared(request)
    _options(await read_body(request, service.settings.max_body_bytes))
    await service.queue.run(set_loaded(declared.name, service.jobs, loaded=loaded))
    return Response(status_code=200)


@router.get("/v2/queues", tags=["operations"])
async def queues(request: Request) -> Response:
    """Groups, workers and totals of the fleet, all of one instant."""
    fleet = await _fleet(Service.of(request))
    totals = fleet.totals
    return json_response(
        {
            "queues": [
                {
                    "group": view_.group.id,
                    "family": view_.group.family,
                    "model": view_.group.model,
                    "version": view_.group.version,
                    "priority": view_.group.priority,
                    "waiting": view_.waiting,
                    "running": view_.running,
                    "oldest_s": view_.oldest_s,
                    "jobs_per_s": view_.jobs_per_s,
                    "batch_fill": view_.batch_fill,
                }
                for view_ in sorted(fleet.groups, key=lambda g: g.group.id)
            ],
            "workers": [_worker(worker, fleet.now_ms) for worker in fleet.workers],
            "totals": {
                name: totals.get(name, 0)
                for name in (
                    "submitted",
                    "waiting",
                    "running",
                    "succeeded",
                    "failed",
                    "canceled",
                    "requeued",
                    "late",
                )
            },
            "at": timestamp(fleet.now_ms),
        }
    )


def _worker(worker: Any, now_ms: int) -> dict[str, Any]:
    info, seen = worker.info, worker.info.get("seen_at_ms")
    return {
        "id": worker.id,
        "alive": worker.alive,
        "families": info.get("families", []),
        "device": info.get("device"),
        "models": info.get("models", []),
        "running": worker.running,
        "last_seen_s": round((now_ms - seen) / 1000, 1) if isinstance(seen, int) else None,
    }
