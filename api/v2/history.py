"""What the fleet did in the last hours, for charts."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...jobs.history import SERIES, Series
from ...protocol.errors import InvalidRequest
from ..core.history import history_of
from ..core.service import Service
from ..core.views import json_response
from ..http.fast_route import FastRoute
from ..http.prefer import whole_number

router = APIRouter(tags=["server"], route_class=FastRoute)


@router.get("/v2/history")
async def history(request: Request) -> Response:
    """Rates, times, queues and devices of the last hour (`period_s=10`) or day (`period_s=60`).

    Of the whole fleet, or of one `model` (and `version`); only points after `since_ms`, if given.
    """
    service, query = Service.of(request), request.query_params
    model = query.get("model")
    return json_response(
        await history_of(
            service,
            _series(query.get("period_s", str(SERIES[0].period_s))),
            since_ms=whole_number(query.get("since_ms", "0"), what="since_ms"),
            model=service.catalog.get(model, query.get("version")) if model else None,
        )
    )


def _series(period_s: str) -> Series:
    for series in SERIES:
        if str(series.period_s) == period_s:
            return series
    known = " or ".join(str(series.period_s) for series in SERIES)
    raise InvalidRequest(f"period_s is {known}, not {period_s!r}")
