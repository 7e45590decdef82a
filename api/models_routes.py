"""Models: metadata, readiness, statistics, the repository."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from ..jobs.fleet import FleetView, set_loaded, stats
from ..protocol import v2
from ..tasks.catalog import ModelDeclaration
from . import examples
from .body import json_object, read_body
from .plain import PlainRoute
from .service import Service
from .views import json_response

router = APIRouter(tags=["models"], route_class=PlainRoute)


# Before the models: a path's first match counts, and no model is called `stats` here.
@router.get("/v2/models/stats")
@router.get("/v2/models/{model}/stats")
@router.get("/v2/models/{model}/versions/{version}/stats")
async def model_stats(request: Request) -> Response:
    """Counters in the shape of Triton's statistics extension."""
    service = Service.of(request)
    path = request.path_params
    counted = await stats_of(service, path.get("model"), path.get("version"))
    return json_response({"model_stats": counted})


async def stats_of(service: Service, name: str | None, version: str | None) -> list[dict[str, Any]]:
    """Counters of one version, one model's versions, or of all. Raises ModelNotFound."""
    models = _asked(service, name, version)
    counted = await asyncio.gather(
        *(service.queue.run(stats(m.name, m.version, service.jobs)) for m in models)
    )
    return [_stats(m, c) for m, c in zip(models, counted, strict=True)]


def _asked(service: Service, name: str | None, version: str | None) -> Sequence[ModelDeclaration]:
    catalog = service.catalog
    if not name:
        return catalog.models
    if version:
        return [catalog.get(name, version)]
    return [catalog.get(name, known) for known in catalog.versions(name)]


def _stats(model: ModelDeclaration, counted: dict[str, int]) -> dict[str, Any]:
    def duration(count: int, field: str) -> dict[str, int]:
        return {"count": count, "ns": counted.get(field, 0) * 1000}

    good, bad = counted.get("success_count", 0), counted.get("fail_count", 0)
    rows = counted.get("inference_count", 0)
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.get("last_inference", 0),
        "inference_count": rows,
        "execution_count": counted.get("execution_count", 0),
        "inference_stats": {
            "success": duration(good, "total_us"),
            "fail": {"count": bad, "ns": 0},
            "queue": duration(good + bad, "queue_us"),
            "compute_input": {"count": 0, "ns": 0},
            "compute_infer": duration(good + bad, "compute_us"),
            "compute_output": {"count": 0, "ns": 0},
            "cache_hit": {"count": 0, "ns": 0},
            "cache_miss": {"count": 0, "ns": 0},
        },
        "batch_stats": [],
        "parameters": {"batch_fill": round(rows / max(1, counted.get("capacity", 0)), 4)},
    }


@router.get("/v2/models/{model}")
@router.get("/v2/models/{model}/versions/{version}")
async def model_metadata(request: Request) -> Response:
    """What a model takes and gives, with its limits and parameters."""
    service = Service.of(request)
    metadata = metadata_of(service, service.declared(request))
    return json_response(metadata.model_dump(mode="json", exclude_none=True))


def metadata_of(service: Service, declared: ModelDeclaration) -> v2.ModelMetadata:
    """A model's metadata."""
    task = declared.definition
    return v2.ModelMetadata(
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
            "max_row_cost": task.max_row_cost,
            "cost_unit": task.cost_unit,
            "max_body_bytes": service.settings.max_body_bytes,
            "request_parameters": {p.name: dict(p.schema) for p in task.parameters},
        },
    )


@router.get("/v2/models/{model}/ready")
@router.get("/v2/models/{model}/versions/{version}/ready")
async def model_ready(request: Request) -> Response:
    """Whether a live worker serves the model and it is not unloaded."""
    service = Service.of(request)
    declared = service.declared(request)
    reason = why_unavailable(declared, await service.fleet())
    body: dict[str, Any] = {"name": declared.name, "ready": not reason}
    if not reason:
        return json_response(body)
    return json_response({**body, "reason": reason}, 503, {"Retry-After": "1"})


def why_unavailable(declared: ModelDeclaration, fleet: FleetView) -> str:
    """Why a model is unavailable; "" when it is not."""
    if declared.name in fleet.unloaded:
        return "unloaded"
    for worker in fleet.workers:
        models = worker.info.get("models")
        if worker.alive and isinstance(models, list) and declared.name in models:
            return ""
    return "no worker serves it now"


@router.post("/v2/repository/index", **examples.INDEX)
async def repository_index(request: Request) -> Response:
    """Every declared model and its state; `{"ready": true}` keeps the ready ones."""
    service = Service.of(request)
    only_ready = (await _options(request)).get("ready") is True
    return json_response(await index_of(service, only_ready=only_ready))


async def index_of(service: Service, *, only_ready: bool) -> list[dict[str, str]]:
    """The repository's entries."""
    fleet = await service.fleet()
    entries = [
        _entry(model, why_unavailable(model, fleet), note_of(model, fleet))
        for model in service.catalog.models
    ]
    return [entry for entry in entries if entry["state"] == "READY" or not only_ready]


def note_of(declared: ModelDeclaration, fleet: FleetView) -> str:
    """What a worker that serves the model found out about it; "" for nothing worth telling."""
    for worker in fleet.workers:
        notes = worker.info.get("notes")
        note = notes.get(f"{declared.name}:{declared.version}") if isinstance(notes, dict) else None
        if worker.alive and isinstance(note, str):
            return note
    return ""


def _entry(model: ModelDeclaration, reason: str, note: str) -> dict[str, str]:
    told = {"note": note} if note else {}
    return {
        "name": model.name,
        "version": model.version,
        "state": "UNAVAILABLE" if reason else "READY",
        "reason": reason,
        "task": model.task,
        "family": model.family,
        "platform": f"wherry_{model.backend}",
        **told,
    }


async def _options(request: Request) -> dict[str, Any]:
    body = await read_body(request, Service.of(request).settings.max_body_bytes)
    return json_object(body) if body.strip() else {}


@router.post("/v2/repository/models/{model}/load")
async def load_model(request: Request) -> Response:
    """Open a model to requests again."""
    return await _set_loaded(request, loaded=True)


@router.post("/v2/repository/models/{model}/unload")
async def unload_model(request: Request) -> Response:
    """Close a model to new requests; jobs that wait are still done."""
    return await _set_loaded(request, loaded=False)


async def _set_loaded(request: Request, *, loaded: bool) -> Response:
    service = Service.of(request)
    declared = service.declared(request)
    await _options(request)
    await service.queue.run(set_loaded(declared.name, service.jobs, loaded=loaded))
    return Response(status_code=200)
