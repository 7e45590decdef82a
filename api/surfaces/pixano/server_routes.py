"""The server and its models, as each generation asks after them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from .... import __version__
from ....jobs.fleet import FleetView
from ....protocol.errors import InvalidRequest, ModelNotFound
from ....tasks.catalog import ModelDeclaration
from ...core.model_loading import failure_of, load, unload
from ...core.service import Service
from ...core.views import json_response
from ...http.body import read_document
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .capabilities import of_task, served, task_name
from .errors import error_of
from .responses import Wire

#: Everything but what differs; the rest of 0.5.6, whose settings allow no key more; and `/v1`.
shared = APIRouter(tags=["pixano"], route_class=FastRoute)
settings = APIRouter(tags=["pixano"], route_class=FastRoute)
settings056 = APIRouter(tags=["pixano"], route_class=FastRoute)
new = APIRouter(prefix="/v1", tags=["pixano"], route_class=FastRoute)

_APP = "Wherry"
_ABOUT = "A queue-based asynchronous inference fleet."


@shared.get("/health")
async def health(_: Request) -> Response:
    """Whether this process answers."""
    return json_response({"status": "healthy"})


@shared.get("/ready")
@new.get("/ready")
async def ready(request: Request) -> Response:
    """Whether some model can be asked: 503 if not."""
    service = Service.of(request)
    models = sorted(_running(await service.fleet()) & {m.name for m in served(service.catalog)})
    return json_response({"ready": bool(models), "models": models}, 200 if models else 503)


@settings.get("/app/settings/")
async def app_settings(request: Request) -> Response:
    """The server, as the seed's generation and 0.7 read it."""
    service = Service.of(request)
    fleet = await service.fleet()
    models = _open(service, fleet)
    running = _running(fleet) & {model.name for model in models}
    return json_response(
        {
            **_settings(models, fleet),
            "version": __version__,
            "models_loaded": len(running),
            "models_to_capability": {m.name: of_task(m.task).name for m in models},
            "gpu_info": {"num_gpus": len(_gpus(fleet)), "gpus": sorted(_gpus(fleet))},
            "gpus_used": float(len(_gpus(fleet))),
            "ready": bool(running),
        }
    )


@settings056.get("/app/settings/")
async def app_settings_056(request: Request) -> Response:
    """The server, with the keys that 0.5.6 knows and no other."""
    service = Service.of(request)
    fleet = await service.fleet()
    return json_response(_settings(_open(service, fleet), fleet))


@shared.get("/app/models/")
async def app_models(request: Request) -> Response:
    """The models that are not unloaded."""
    service = Service.of(request)
    fleet = await service.fleet()
    return json_response([_model(m, fleet, Wire.SNAKE) for m in _open(service, fleet)])


@shared.post("/providers/instantiate")
async def instantiate(request: Request) -> Response:
    """Open a declared model to requests: other models are the operator's to declare."""
    body = await _body(request)
    config = body.get("config")
    if not isinstance(config, dict):
        raise InvalidRequest("config: expected an object with name and task")
    model = _declared(request, config.get("name"))
    if config.get("task") not in (task_name(model.task), of_task(model.task).name):
        raise InvalidRequest(f"config.task: model {model.name!r} does {task_name(model.task)}")
    await load(Service.of(request), model.name)
    return json_response({"id": model.name, "status": "SUCCESS"})


@shared.get("/providers/instantiate/{name:path}")
async def instantiated(request: Request) -> Response:
    """How the opening of a model went; its id is the model's name."""
    model = _declared(request, request.path_params["name"])
    unloaded = model.name in (await Service.of(request).fleet()).unloaded
    return json_response({"id": model.name, "status": "REVOKED" if unloaded else "SUCCESS"})


@shared.delete("/providers/model/{name:path}")
async def delete_model(request: Request) -> Response:
    """Close a model to new requests; what waits is still done."""
    model = _declared(request, request.path_params["name"])
    await unload(Service.of(request), model.name)
    return json_response(None)


@new.get("/info")
@shaped(error_of)
async def info(request: Request) -> Response:
    """The server, as `/v1` tells it."""
    service = Service.of(request)
    fleet = await service.fleet()
    models = _open(service, fleet)
    about = _settings(models, fleet)
    document = {
        **{name: about[name] for name in ("app_name", "app_version", "num_cpus", "num_gpus")},
        "num_nodes": about["num_nodes"],
        "gpus_used": float(len(_gpus(fleet))),
        "models": about["models"],
    }
    statuses = {model.name: _status(model, fleet) for model in models}
    return json_response({**Wire.CAMEL.write(document), "modelsStatus": statuses})


@new.get("/models")
@shaped(error_of)
async def models_v1(request: Request) -> Response:
    """The models that are not unloaded: a bare list."""
    service = Service.of(request)
    fleet = await service.fleet()
    return json_response([_model(m, fleet, Wire.CAMEL) for m in _open(service, fleet)])


@new.post("/models")
@shaped(error_of)
async def deploy(request: Request) -> Response:
    """Open a declared model to requests: other models are the operator's to declare."""
    model = _declared(request, (await _body(request)).get("name"))
    await load(Service.of(request), model.name)
    fleet = await Service.of(request).fleet()
    return json_response(_model(model, fleet, Wire.CAMEL), 201)


@new.delete("/models/{name:path}")
@shaped(error_of)
async def undeploy(request: Request) -> Response:
    """Close a model to new requests; what waits is still done."""
    model = _declared(request, request.path_params["name"])
    await unload(Service.of(request), model.name)
    return json_response({"status": "deleted", "model": model.name})


def _settings(models: list[ModelDeclaration], fleet: FleetView) -> dict[str, Any]:
    """The keys of 0.5.6's settings."""
    return {
        "app_name": _APP,
        "app_version": __version__,
        "app_description": _ABOUT,
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": len(_gpus(fleet)),
        "num_nodes": len({_machine(worker.info) for worker in fleet.workers if worker.alive}) or 1,
        "gpus_used": list(range(len(_gpus(fleet)))),
        "gpu_to_model": {},
        "models": [model.name for model in models],
        "models_to_task": {model.name: task_name(model.task) for model in models},
    }


def _model(model: ModelDeclaration, fleet: FleetView, wire: Wire) -> Any:
    return wire.write(
        {
            "name": model.name,
            "task": task_name(model.task),
            "capability": of_task(model.task).name,
            "model_path": None,
            "model_class": model.backend,
            "status": _status(model, fleet),
        }
    )


def _status(model: ModelDeclaration, fleet: FleetView) -> str:
    """As Ray Serve says it."""
    if failure_of(model, fleet):
        return "DEPLOY_FAILED"
    return "RUNNING" if model.name in _running(fleet) else "NOT_STARTED"


def _open(service: Service, fleet: FleetView) -> list[ModelDeclaration]:
    """The models that take requests."""
    return [model for model in served(service.catalog) if model.name not in fleet.unloaded]


def _running(fleet: FleetView) -> set[str]:
    """Models that a live worker serves and nobody unloaded."""
    lists = [worker.info.get("models") for worker in fleet.workers if worker.alive]
    return {str(name) for names in lists if isinstance(names, list) for name in names} - (
        fleet.unloaded
    )


def _gpus(fleet: FleetView) -> set[str]:
    """The devices that live workers compute on, other than processors."""
    named = {
        (_machine(worker.info), str(worker.info.get("device", "cpu")))
        for worker in fleet.workers
        if worker.alive
    }
    return {f"{machine} {device}".strip() for machine, device in named if device != "cpu"}


def _machine(info: Mapping[str, object]) -> str:
    return str(info.get("host") or info.get("machine") or "")


def _declared(request: Request, name: object) -> ModelDeclaration:
    """A model by its name. Raises ModelNotFound, also for one that is not of Pixano's kinds."""
    if not isinstance(name, str):
        raise InvalidRequest("name: give the name of a declared model")
    service = Service.of(request)
    model = service.catalog.find(name)
    if model.name not in {each.name for each in served(service.catalog)}:
        raise ModelNotFound(f"model {model.name!r} does {model.task}, which Pixano does not ask")
    return model


async def _body(request: Request) -> dict[str, Any]:
    return (await read_document(request, Service.of(request).settings.max_body_bytes)).fields
