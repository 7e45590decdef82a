"""What Triton's clients ask besides: traces, logs, shared memory. All of it is off."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ..core.service import Service
from ..core.switched_off import check_region, log_settings, refuse_memory, trace_settings
from ..core.views import json_response
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute

router = APIRouter(tags=["triton"], route_class=FastRoute)


@router.get("/v2/trace/setting")
@router.get("/v2/models/{model}/trace/setting")
async def show_trace(request: Request) -> Response:
    """That nothing is traced."""
    _check_model(request)
    return json_response(dict(trace_settings({})))


@router.post("/v2/trace/setting")
@router.post("/v2/models/{model}/trace/setting")
async def set_trace(request: Request) -> Response:
    """Refuse to trace; settings that are so already may be asked for."""
    _check_model(request)
    return json_response(dict(trace_settings(await _body(request))))


@router.get("/v2/logging")
async def show_log(_: Request) -> Response:
    """That there is no log of Triton's."""
    return json_response(dict(log_settings({})))


@router.post("/v2/logging")
async def set_log(request: Request) -> Response:
    """Refuse other settings; those that are so already may be asked for."""
    return json_response(dict(log_settings(await _body(request))))


@router.get("/v2/systemsharedmemory/status")
@router.get("/v2/systemsharedmemory/region/{region}/status")
@router.get("/v2/cudasharedmemory/status")
@router.get("/v2/cudasharedmemory/region/{region}/status")
async def show_memory(request: Request) -> Response:
    """That no region of shared memory is registered."""
    check_region(request.path_params.get("region", ""))
    return json_response([])


@router.post("/v2/systemsharedmemory/region/{region}/register")
@router.post("/v2/cudasharedmemory/region/{region}/register")
async def register_memory(request: Request) -> Response:
    """Refuse it: data come with the request."""
    refuse_memory(request.path_params["region"])


@router.post("/v2/systemsharedmemory/unregister")
@router.post("/v2/systemsharedmemory/region/{region}/unregister")
@router.post("/v2/cudasharedmemory/unregister")
@router.post("/v2/cudasharedmemory/region/{region}/unregister")
async def unregister_memory(request: Request) -> Response:
    """Nothing: a region that is not registered may be unregistered, as with Triton."""
    await _body(request)
    return Response(status_code=200)


def _check_model(request: Request) -> None:
    if "model" in request.path_params:
        Service.of(request).declared(request)


async def _body(request: Request) -> dict[str, Any]:
    body = await read_body(request, Service.of(request).settings.max_body_bytes)
    return json_object(body) if body.strip() else {}
