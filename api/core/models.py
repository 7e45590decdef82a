"""What there is to say of models: metadata, readiness, statistics, the repository's entries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

from ...jobs.fleet import FleetView, stats
from ...jobs.group import Group
from ...jobs.reach import RedisAway
from ...protocol import v2
from ...tasks.base import Task
from ...tasks.catalog import AUTO, ModelDeclaration
from ..settings import families_of
from .model_loading import failure_of
from .model_status import Status, devices_of, is_manned, status_of
from .service import Service
from .views import json_response

#: Of the facts, what metadata tells as inputs and outputs.
_TENSORS = "tensors"


def metadata_of(service: Service, declared: ModelDeclaration) -> v2.ModelMetadata:
    """A model's metadata."""
    task, facts = service.live.task(declared), service.live.facts(declared)
    facts.pop(_TENSORS, None)
    return v2.ModelMetadata(
        name=declared.name,
        versions=list(service.catalog.versions(declared.name)),
        platform=_platform(declared, facts),
        inputs=_inputs(task, triton_shapes=service.settings.triton_shapes),
        outputs=[spec.metadata() for spec in task.outputs],
        parameters={
            **({"description": declared.description} if declared.description else {}),
            "task": task.name,
            "family": task.family,
            "max_batch_size": declared.max_batch_size,
            "max_rows_per_job": service.settings.max_rows_per_job,
            "max_row_cost": task.max_row_cost,
            "cost_unit": task.cost_unit,
            "max_body_bytes": service.settings.max_body_bytes,
            "request_parameters": {p.name: dict(p.schema) for p in task.parameters},
            **facts,
        },
    )


def _inputs(task: Task, *, triton_shapes: bool) -> list[v2.TensorMetadata]:
    """What a model takes; a list of rows is a column where Triton's shapes are wanted."""
    told = [spec.metadata() for spec in task.inputs]
    if triton_shapes and task.input.batches_rows():
        return [
            tensor.model_copy(update={"shape": [-1, 1]}) if tensor.shape == [-1] else tensor
            for tensor in told
        ]
    return told


async def ready_response(service: Service, declared: ModelDeclaration) -> Response:
    """Whether a live worker serves the model and it is not unloaded; 503 and the reason if not."""
    fleet = await service.fleet()
    reason = why_unavailable(service, declared, fleet)
    body: dict[str, Any] = {"name": declared.name, "ready": not reason}
    if not reason:
        return json_response(body)
    later = {} if failure_of(declared, fleet) else {"Retry-After": "1"}
    return json_response({**body, "reason": reason}, 503, later)


def why_unavailable(service: Service, declared: ModelDeclaration, fleet: FleetView) -> str:
    """Why a model is unavailable; "" when it is not, or a job has a worker started for it."""
    if declared.name in fleet.unloaded:
        return "unloaded"
    if error := failure_of(declared, fleet):
        return error.message
    for worker in fleet.workers:
        models = worker.info.get("models")
        if worker.alive and isinstance(models, list) and declared.name in models:
            return ""
    if declared.family in fleet.away:
        return RedisAway([declared.family]).message
    model_id = Group(declared.family, declared.name, declared.version).model_id
    for worker in fleet.workers:
        if worker.alive and model_id in worker.away:
            return f"its endpoint is away: {worker.away[model_id]}; jobs wait for it"
    if declared.family in families_of(service.settings.scale_to_zero) and not is_manned(
        declared.family, fleet
    ):
        return ""
    return "; ".join(["no worker serves it now", *fleet.why_waiting()])


async def index_of(service: Service, *, only_ready: bool) -> list[dict[str, Any]]:
    """The repository's entries."""
    fleet = await service.fleet()
    entries = [
        {
            **_entry(model, why_unavailable(service, model, fleet), note_of(model, fleet)),
            **_size(facts := service.live.facts(model), model, fleet),
            "platform": _platform(model, facts),
            "status": _status(service, model, fleet),
            "devices": devices_of(model, fleet),
        }
        for model in service.catalog.models
    ]
    return [entry for entry in entries if entry["state"] == "READY" or not only_ready]


def _status(service: Service, declared: ModelDeclaration, fleet: FleetView) -> Status:
    """How a model stands; one that a job has a worker started for is cold, too."""
    status = status_of(declared, fleet)
    is_started = status == "unserved" and not why_unavailable(service, declared, fleet)
    return "cold" if is_started else status


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
        **told,
    }


def _platform(declared: ModelDeclaration, facts: Mapping[str, Any]) -> str:
    """What runs a model: what tuning chose where no backend is declared, once that is known."""
    backend = facts.get("backend") if declared.backend == AUTO else None
    return f"wherry_{backend or declared.backend}"


def _size(facts: dict[str, Any], declared: ModelDeclaration, fleet: FleetView) -> dict[str, Any]:
    """What a model is, its labels counted, and the bytes that it takes now of a worker's device."""
    model_id = Group(declared.family, declared.name, declared.version).model_id
    facts.pop(_TENSORS, None)
    if "labels" not in facts:  # it was never loaded
        return facts
    held = [worker.model_bytes.get(model_id, 0) for worker in fleet.workers if worker.alive]
    return {**facts, "labels": len(facts["labels"]), "bytes": max(held, default=0)}


async def stats_of(service: Service, name: str | None, version: str | None) -> list[dict[str, Any]]:
    """Counters of one version, one model's versions, or of all. Raises ModelNotFound."""
    models = _named_models(service, name, version)
    counted = await asyncio.gather(
        *(service.queue.run(stats(m.name, m.version, service.jobs)) for m in models)
    )
    return [_stats(m, c) for m, c in zip(models, counted, strict=True)]


def _named_models(
    service: Service, name: str | None, version: str | None
) -> Sequence[ModelDeclaration]:
    catalog = service.catalog
    if not name:
        return catalog.models
    if version:
        return [catalog.get(name, version)]
    return [catalog.get(name, known) for known in catalog.versions(name)]


def _stats(model: ModelDeclaration, counted: dict[str, int]) -> dict[str, Any]:
    """Times are sums over requests that succeeded, in `batch_stats` over forwards of one size."""

    def duration(count: str, us: str) -> dict[str, int]:
        return {"count": counted.get(count, 0), "ns": counted.get(us, 0) * 1000}

    rows = counted.get("inference_count", 0)
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.get("last_inference", 0),
        "inference_count": rows,
        "execution_count": counted.get("execution_count", 0),
        "inference_stats": {
            "success": duration("success_count", "success_us"),
            "fail": duration("fail_count", "fail_us"),
            "queue": duration("success_count", "queue_us"),
            "compute_input": duration("success_count", "input_us"),
            "compute_infer": duration("success_count", "compute_us"),
            "compute_output": duration("success_count", "output_us"),
            "cache_hit": {"count": 0, "ns": 0},
            "cache_miss": {"count": 0, "ns": 0},
        },
        "batch_stats": [
            {
                "batch_size": size,
                "compute_input": duration(f"size {size} count", f"size {size} input_us"),
                "compute_infer": duration(f"size {size} count", f"size {size} compute_us"),
                "compute_output": duration(f"size {size} count", f"size {size} output_us"),
            }
            for size in _batch_sizes(counted)
        ],
        "parameters": {"batch_fill": round(rows / max(1, counted.get("capacity", 0)), 4)},
    }


def _batch_sizes(counted: dict[str, int]) -> list[int]:
    """Those that there were forwards of, as finish.lua names their fields."""
    return sorted(int(field.split()[1]) for field in counted if field.endswith(" count"))
