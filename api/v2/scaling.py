"""How many workers are wanted, for autoscalers and whoever wants to know why."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ...jobs.scaling import Lane
from ..core.scaling import FamilyScaling, ModelScaling, scaling_of
from ..core.service import Service, away_view
from ..core.views import json_response, timestamp
from ..http.fast_route import FastRoute

router = APIRouter(tags=["server"], route_class=FastRoute)


@router.get("/v2/scaling")
async def scaling(request: Request) -> Response:
    """Workers that each family wants, by the device seconds that what waits and runs will take."""
    service = Service.of(request)
    families = await scaling_of(service)
    return json_response({"families": [_family(each) for each in families], **away_view(service)})


def _family(found: FamilyScaling) -> dict[str, Any]:
    seen, plan, policy = found.seen, found.plan, found.policy
    return {
        "family": found.family,
        "waiting": seen.interactive.waiting + seen.bulk.waiting,
        "running": seen.interactive.running + seen.bulk.running,
        "predicted_device_seconds": round(found.device_s, 3),
        "desired_workers": plan.workers,
        "because": plan.because,
        "workers": seen.workers,
        "busy_workers": seen.busy,
        "target_wait_s": policy.target_wait_s,
        "bulk_target_wait_s": policy.bulk_target_wait_s,
        "computed": {
            "needed_workers": round(plan.needed, 3),
            "load_workers": round(plan.load, 3),
            "start_s": round(plan.start_s, 1),
            "down_after_s": policy.down_after_s,
            "interactive": _lane(seen.interactive),
            "bulk": _lane(seen.bulk),
        },
        "models": [_model(each) for each in found.models],
        "at": timestamp(int(seen.at_s * 1000)),
    }


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "waiting": lane.waiting,
        "running": lane.running,
        "oldest_s": round(lane.oldest_s, 1),
        "device_seconds": round(lane.work.device_s, 3),
        "worker_seconds": round(lane.work.worker_s, 3),
        "batches": lane.work.batches,
    }


def _model(each: ModelScaling) -> dict[str, Any]:
    return {
        "model": each.model,
        "version": each.version,
        "waiting": each.waiting,
        "waiting_rows": round(each.waiting_rows, 1),
        "running": each.running,
        "running_rows": round(each.running_rows, 1),
        "predicted_device_seconds": round(each.work.device_s, 3),
        "known": each.known,
    }
