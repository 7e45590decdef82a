"""What Prometheus asks: the metrics of the fleet and of this process, and where others are."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..core.metric_targets import targets_of
from ..core.metrics import Metrics
from ..core.service import Service
from ..core.views import json_response
from ..http.fast_route import FastRoute

router = APIRouter(tags=["server"], route_class=FastRoute)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Metrics of the whole fleet, and of the processes behind this port, as Prometheus reads them.

    In its text form, or OpenMetrics where `Accept` asks for it.
    """
    shown: Metrics = request.app.state.metrics
    body, content_type = await shown.page(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type})


@router.get("/v2/metrics/targets")
async def targets(request: Request) -> Response:
    """Where the fleet's processes show their own metrics, for Prometheus' `http_sd_configs`."""
    return json_response(await targets_of(Service.of(request), request))
