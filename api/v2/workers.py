"""Workers, for the operator: who is there, and who is to claim no more. See docs/operations.md."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import InvalidRequest, NotFound
from ..core.service import Service
from ..core.views import json_response
from ..core.workers import drain, undrain_worker, workers_of
from ..http import openapi_workers
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute

router = APIRouter(tags=["workers"], route_class=FastRoute)


@router.get("/v2/workers", **openapi_workers.LIST)
async def list_workers(request: Request) -> Response:
    """Every worker, those that do runs among them, and every API process."""
    return json_response(await workers_of(Service.of(request)))


@router.get("/v2/workers/{worker}", **openapi_workers.ONE)
async def get_worker(request: Request) -> Response:
    """A worker by its id, or the newest of a node name."""
    name = request.path_params["worker"]
    seen = (await workers_of(Service.of(request)))["workers"]
    found = [each for each in seen if name in (each["id"], each["node"])]
    if not found:
        raise NotFound(f"no worker {name!r}")
    return json_response(max(found, key=lambda each: (each["alive"], -(each["last_seen_s"] or 0))))


@router.post("/v2/workers/{worker}/drain", **openapi_workers.DRAIN)
async def drain_worker(request: Request) -> Response:
    """Have a worker finish what runs and claim no more; `{"end": true}`: and end then.

    It heeds that within two seconds, and shows it as its state, `draining`.
    """
    service = Service.of(request)
    options = await _options(request)
    if odd := sorted(options.keys() - {"end"}):
        raise InvalidRequest(f"{odd[0]}: a drain takes `end` alone")
    end = options.get("end", False)
    if not isinstance(end, bool):
        raise InvalidRequest("end: expected true or false")
    return json_response(await drain(service, request.path_params["worker"], end=end), 202)


@router.post("/v2/workers/{worker}/undrain", **openapi_workers.UNDRAIN)
async def let_serve(request: Request) -> Response:
    """Let a drained worker claim again."""
    service = Service.of(request)
    await _options(request)
    return json_response(await undrain_worker(service, request.path_params["worker"]), 202)


async def _options(request: Request) -> dict[str, Any]:
    body = await read_body(request, Service.of(request).settings.max_body_bytes)
    return json_object(body) if body.strip() else {}
