"""Webhooks as an operator sees them: what waits, what was given up, and another try."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import APIRouter, Request, Response

from ...jobs.fleet_queue import on_each
from ...jobs.reach import answers_of_present
from ...jobs.webhooks import ListedWebhook, list_webhooks, of_one_fleet, retry_webhooks
from ...protocol.errors import InvalidRequest
from ..core.service import Service, away_view
from ..core.views import json_response, timestamp
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute
from ..http.prefer import whole_number

router = APIRouter(tags=["webhooks"], route_class=FastRoute)

#: Webhooks in one answer.
_PAGE, _LARGEST_PAGE = "50", 1000

_COUNTED = ("delivered", "failed", "lost")


@router.get("/v2/webhooks")
async def webhooks(request: Request) -> Response:
    """Webhooks that were given up, latest first, or that wait: `?status=failed|waiting&limit=`."""
    service, query = Service.of(request), request.query_params
    status = query.get("status", "failed")
    if status not in ("failed", "waiting"):
        raise InvalidRequest("status: failed or waiting")
    limit = whole_number(query.get("limit", _PAGE), what="limit", least=1, most=_LARGEST_PAGE)
    failed = status == "failed"
    call = list_webhooks(service.jobs, failed=failed, limit=limit)
    answers, _ = answers_of_present(await on_each(service.queue, lambda one: one.run(call)))
    found = of_one_fleet(answers, failed=failed, limit=limit)
    return json_response(
        {
            "webhooks": [_view(one, failed=failed) for one in found.webhooks],
            "waiting": found.waiting,
            "failed": found.failed,
            "totals": {name: found.totals.get(name, 0) for name in _COUNTED},
            **away_view(service),
        }
    )


@router.post("/v2/webhooks:retry")
async def retry(request: Request) -> Response:
    """Deliver given-up webhooks after all: `{"job_ids": [...]}`, or all of them without."""
    service = Service.of(request)
    body = await read_body(request, service.settings.max_body_bytes)
    ids = json_object(body).get("job_ids") if body else None
    if ids is not None and not (
        isinstance(ids, list) and ids and all(isinstance(job_id, str) for job_id in ids)
    ):
        raise InvalidRequest("job_ids: expected a list of job ids, or none for all")
    retried = await service.queue.run(retry_webhooks(ids or (), service.jobs))
    return json_response({"retried": retried})


def _view(one: ListedWebhook, *, failed: bool) -> dict[str, Any]:
    url = httpx.URL(one.url)
    return {
        "job_id": one.job_id,
        "url": str(url.copy_with(query=None)),  # where people put secrets
        "job_finished_at": timestamp(one.finished_at_ms),
        "since": timestamp(one.since_ms),
        "failed_at" if failed else "due_at": timestamp(one.at_ms),
        "tries": one.tries,
        "error": one.error or None,
    }
