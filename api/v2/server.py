"""The server itself: metadata, health, the fleet's queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from ... import __version__
from ...jobs.fleet import FleetView, at_work
from ...jobs.fleet_views import GroupView
from ...protocol import v2
from ..access.caller import Caller, caller
from ..core.health import EXTENSIONS, readiness
from ..core.service import Service, away_view
from ..core.views import json_response, timestamp
from ..core.workers import worker_view
from ..http.fast_route import FastRoute

router = APIRouter(tags=["server"], route_class=FastRoute)

_TOTALS = (
    "submitted",
    "waiting",
    "running",
    "succeeded",
    "failed",
    "canceled",
    "requeued",
    "late",
    "dead",
)


@router.get("/v2")
async def server_metadata(_: Request) -> Response:
    """Name, version, extensions."""
    server = v2.ServerMetadata(name="wherry", version=__version__, extensions=EXTENSIONS)
    return json_response(server.model_dump())


@router.get("/v2/health/live")
async def live(_: Request) -> Response:
    """Whether this process answers."""
    return json_response({"live": True})


@router.get("/v2/health/ready")
async def ready(request: Request) -> Response:
    """Whether Redis answers and every declared model's family has a live worker.

    Models that failed to load are named; with `WHERRY_STRICT_MODELS`, as with Triton's strict
    readiness, the server is not ready while there is one.
    """
    service = Service.of(request)
    reasons, failed = await readiness(service)
    named = {**({"failed_models": failed} if failed else {}), **away_view(service)}
    if reasons:
        body = {"ready": False, "reasons": reasons, **named}
        return json_response(body, 503, {"Retry-After": "1"})
    return json_response({"ready": True, **named})


@router.get("/v2/queues")
async def queues(request: Request) -> Response:
    """Groups, workers and totals of the fleet; a tenant sees its own groups.

    Workers and totals are of one instant; each group is as it was a moment before or after.
    """
    service, who = Service.of(request), caller.get()
    groups, fleet = await service.groups(), await service.fleet()
    if not who.admin:
        return json_response({**_own_queues(groups, fleet, who), **away_view(service)})
    runs = await service.queue.run(at_work(service.jobs))
    dashboards = service.settings.dashboards_url
    return json_response(
        {
            **({"dashboards_url": dashboards} if dashboards else {}),
            "queues": [_group(group) for group in groups],
            "workers": [
                worker_view(worker, fleet.now_ms, runs.get(worker.id, ()))
                for worker in fleet.workers
            ],
            "totals": {name: fleet.totals.get(name, 0) for name in _TOTALS},
            "at": timestamp(fleet.now_ms),
            **away_view(service),
        }
    )


def _own_queues(groups: Sequence[GroupView], fleet: FleetView, who: Caller) -> dict[str, Any]:
    """What one tenant may know: its own groups, and nothing of workers and of others."""
    mine = [seen for seen in groups if who.sees(seen.group.tenant)]
    return {
        "queues": [_group(seen) for seen in mine],
        "workers": [],
        "totals": {
            "waiting": sum(seen.waiting for seen in mine),
            "running": sum(seen.running for seen in mine),
        },
        "at": timestamp(fleet.now_ms),
    }


def _group(seen: GroupView) -> dict[str, Any]:
    return {
        "group": seen.group.id,
        "family": seen.group.family,
        "model": seen.group.model,
        "version": seen.group.version,
        "tenant": seen.group.tenant,
        "lane": seen.group.lane,
        "priority": seen.group.priority,
        "waiting": seen.waiting,
        "running": seen.running,
        "oldest_s": seen.oldest_s,
        "jobs_per_s": seen.jobs_per_s,
        "batch_fill": seen.batch_fill,
        "weight": seen.weight,
        "device_s_per_s": seen.device_s_per_s,
    }
