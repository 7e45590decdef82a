"""Models: metadata, readiness, statistics, the repository."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import InvalidRequest
from ..core.model_config import config_of
from ..core.model_loading import load, reload, unload
from ..core.models import index_of, metadata_of, ready_response, stats_of
from ..core.service import Service
from ..core.views import json_response
from ..http import openapi_examples
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute

router = APIRouter(tags=["models"], route_class=FastRoute)


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


@router.get("/v2/models/{model}")
@router.get("/v2/models/{model}/versions/{version}")
async def model_metadata(request: Request) -> Response:
    """What a model takes and gives, with its limits and parameters."""
    service = Service.of(request)
    metadata = metadata_of(service, service.declared(request))
    return json_response(metadata.model_dump(mode="json", exclude_none=True))


@router.get("/v2/models/{model}/config")
@router.get("/v2/models/{model}/versions/{version}/config")
async def model_config(request: Request) -> Response:
    """A model's configuration as Triton tells it: how it batches, what it takes and gives."""
    service = Service.of(request)
    return json_response(config_of(service, service.declared(request)))


@router.get("/v2/models/{model}/ready")
@router.get("/v2/models/{model}/versions/{version}/ready")
async def model_ready(request: Request) -> Response:
    """Whether a live worker serves the model and it is not unloaded."""
    service = Service.of(request)
    return await ready_response(service, service.declared(request))


@router.post("/v2/repository/index", **openapi_examples.INDEX)
async def repository_index(request: Request) -> Response:
    """Every declared model and its state; `{"ready": true}` keeps the ready ones."""
    service = Service.of(request)
    only_ready = (await _options(request)).get("ready") is True
    return json_response(await index_of(service, only_ready=only_ready))


async def _options(request: Request) -> dict[str, Any]:
    body = await read_body(request, Service.of(request).settings.max_body_bytes)
    return json_object(body) if body.strip() else {}


@router.post("/v2/repository/reload")
async def reload_models(request: Request) -> Response:
    """Have the whole fleet serve what models.toml says now; answers what that changed."""
    await _options(request)
    return json_response(await reload(Service.of(request)))


@router.post("/v2/repository/models/{model}/load")
async def load_model(request: Request) -> Response:
    """Serve a model as models.toml declares it now, and wait until it is loaded so."""
    parameters = (await _options(request)).get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidRequest("parameters: expected an object")
    await load(Service.of(request), request.path_params["model"], parameters)
    return Response(status_code=200)


@router.post("/v2/repository/models/{model}/unload")
async def unload_model(request: Request) -> Response:
    """Close a model to new requests; jobs that wait are done, then its memory is freed."""
    await _options(request)
    await unload(Service.of(request), request.path_params["model"])
    return Response(status_code=200)
