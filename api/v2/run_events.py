"""Runs as they change: server-sent events of one, and of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import NotFound, TenantLimit, Unavailable
from ..access.book import KeyBook
from ..core.run_service import find_run, find_runs, list_runs
from ..core.run_views import run_view
from ..core.service import Service
from ..http import openapi_runs
from ..http.access_guard import token_of
from ..http.draining import draining
from ..http.fast_route import FastRoute
from ..http.sse import EventStream, event
from .runs import known_run, path_run_id, wanted_state

router = APIRouter(tags=["runs"], route_class=FastRoute)

#: Seconds between two events at least, and between two looks at most.
_LEAST_S, _LOOK_S = 0.25, 1.0

#: Looks without a change after which a comment is sent: proxies close quiet streams.
_QUIET_LOOKS = 15

#: Streams at once from one server, of runs and of their list: each looks into Redis.
_MOST_STREAMS = 200

#: Runs that are told anew after some changes may have been missed.
_TOLD_ANEW = 100

#: What of a view is another at every look, and no change.
_MOVING = ("rows_per_s", "estimated_end_at", "looked_at")


@router.get("/v2/runs:events", **openapi_runs.LIST_EVENTS)
async def get_list_events(request: Request) -> Response:
    """Server-sent events of runs that come or change, once a second: `?state=&tenant=`."""
    service, state = _room(request), wanted_state(request)
    tenant = request.query_params.get("tenant", "")
    return EventStream(_all(service, state, tenant, _let_in(request)))


@router.get("/v2/runs/{run_id}/events", **openapi_runs.EVENTS)
async def get_run_events(request: Request) -> Response:
    """Server-sent events of one run: as it stands, then each change, until its end."""
    service = _room(request)
    await known_run(request)
    return EventStream(_one(service, path_run_id(request), _let_in(request)))


def _room(request: Request) -> Service:
    """The service, if it has room for another stream. Raises TenantLimit."""
    service = Service.of(request)
    if len(service.waiters.runs) >= _MOST_STREAMS:
        raise TenantLimit(
            f"{_MOST_STREAMS} streams of runs are open here already; read GET /v2/runs now and then"
        )
    return service


def _let_in(request: Request) -> Callable[[], object]:
    """What raises Unauthorized once the request's key is good no longer."""
    book: KeyBook = request.app.state.keys
    token = token_of(request.scope["headers"])
    return lambda: book.caller(token)


async def _one(
    service: Service, stored_id: str, let_in: Callable[[], object]
) -> AsyncIterator[bytes | None]:
    told: dict[str, Any] = {}
    quiet = 0
    with service.waiters.runs.watching(stored_id) as watch:
        while True:
            let_in()
            try:
                run = await find_run(service, stored_id)
            except NotFound:
                return  # it was forgotten
            except Unavailable:
                await asyncio.sleep(_LOOK_S)
                continue
            view = run_view(run)
            quiet += 1
            if still(view) != still(told):
                yield event(view, kind="run")
                told, quiet = view, 0
            elif quiet >= _QUIET_LOOKS:
                yield None
                quiet = 0
            if run.state.terminal or draining.on:
                return
            await asyncio.sleep(_LEAST_S)
            await watch.heard(_LOOK_S - _LEAST_S)


def still(view: dict[str, Any]) -> dict[str, Any]:
    """What of a view stays the same while nothing happens."""
    return {name: value for name, value in view.items() if name not in _MOVING}


async def _all(
    service: Service, state: str, tenant: str, let_in: Callable[[], object]
) -> AsyncIterator[bytes | None]:
    """Events without end. Raises Unauthorized once the key is good no longer."""
    with service.waiters.runs.watching() as watch:
        yield event({"runs": []}, kind="runs")  # who reads the list now misses none
        quiet = 0
        while not draining.on:
            await asyncio.sleep(_LEAST_S)
            changed = await watch.heard(_LOOK_S - _LEAST_S)
            let_in()
            quiet += 1
            try:
                if watch.missed:
                    runs, _ = await list_runs(service, "", tenant, "", _TOLD_ANEW)
                else:
                    runs = await find_runs(service, changed)
                watch.missed = False
            except Unavailable:
                watch.missed = True
                continue
            found = [run for run in runs if tenant in ("", run.spec.tenant)]
            views = [run_view(run) for run in found if state in ("", run.state.value)]
            if views:
                yield event({"runs": views}, kind="runs")
                quiet = 0
            elif quiet >= _QUIET_LOOKS:
                yield None
                quiet = 0
