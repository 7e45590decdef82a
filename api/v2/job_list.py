"""The asynchronous extension, all jobs: a list with filters, and its changes as they happen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from fastapi import APIRouter, Request, Response

from ...jobs.call import Call
from ...jobs.pages import has_ended, split
from ...jobs.read import JobPage, Wanted, list_jobs
from ...protocol.errors import InvalidRequest, TenantLimit, Unavailable
from ...protocol.states import JobState
from ..access.book import KeyBook
from ..access.caller import caller
from ..core.job_changes import JobChanges
from ..core.merged_lists import job_page
from ..core.service import Service, away_view
from ..core.views import job_view, json_response
from ..http import openapi_examples
from ..http.access_guard import token_of
from ..http.draining import draining
from ..http.fast_route import FastRoute
from ..http.prefer import whole_number
from ..http.sse import EventStream, event

router = APIRouter(tags=["jobs"], route_class=FastRoute)

#: Jobs on one page of the list.
_PAGE, _LARGEST_PAGE = "50", 1000

#: Calls to Redis that look for a page's jobs, of 400 each; the next page goes on from there.
_LOOKS = 12

#: Seconds between two events of the list, and jobs that one tells of.
_TICK_S, _MOST = 0.5, 100

#: Streams of the list at once from one server: each looks into Redis at every tick.
_MOST_STREAMS = 50

#: Ticks without a change after which a comment is sent: proxies close quiet streams.
_QUIET_TICKS = 30

#: Milliseconds since the epoch, or RFC 3339.
_MS = re.compile(r"[0-9]{1,15}")


@router.get("/v2/jobs", **openapi_examples.LIST)
async def get_jobs(request: Request) -> Response:
    """Jobs, newest first: `?status=&model=&tenant=&error=&since=&until=&limit=&after=`."""
    service, query = Service.of(request), request.query_params
    wanted, after = _wanted(request), query.get("after", "")
    _check_cursor(service, after)
    limit = whole_number(query.get("limit", _PAGE), what="limit", least=1, most=_LARGEST_PAGE)
    ids: list[str] = []
    for _ in range(_LOOKS):
        page = await _page(service, wanted, limit - len(ids), after=after)
        ids += page.ids
        after = page.following
        if not after or len(ids) >= limit:
            break
    records = await service.records(ids)
    return json_response(
        {
            "jobs": [job_view(r) for r in records if r is not None],
            "next": after or None,
            **away_view(service),
        }
    )


@router.get("/v2/jobs:events", **openapi_examples.LIST_EVENTS)
async def get_list_events(request: Request) -> Response:
    """Server-sent events of jobs that come or change, filtered as the list is, twice a second.

    A job comes by its model, tenant and time; one that no longer has the status comes, too.
    """
    service, wanted = Service.of(request), _wanted(request)
    if service.waiters.feed.count(caller.get().stored("")) >= _MOST_STREAMS:
        raise TenantLimit(
            f"{_MOST_STREAMS} streams of the list are open here already; end one, or read "
            "GET /v2/jobs now and then"
        )
    newest = (await _page(service, wanted, 1)).newest
    book: KeyBook = request.app.state.keys
    token = token_of(request.scope["headers"])
    return EventStream(_changes(service, wanted, newest, lambda: book.caller(token)))


async def _changes(
    service: Service, wanted: Wanted, newest: str, let_in: Callable[[], object]
) -> AsyncIterator[bytes | None]:
    """Events without end. Raises Unauthorized once the key is good no longer."""
    with service.waiters.feed.watching(caller.get().stored("")) as changes:
        yield event({"jobs": [], "missed": 0}, kind="jobs")  # who reads the list now misses none
        quiet = 0
        while not draining.on:
            await asyncio.sleep(_TICK_S)
            quiet += 1
            let_in()
            try:
                page = await _page(service, wanted, _MOST, above=newest)
                newest = page.newest or newest
                told = await _told(service, wanted, page, changes)
            except Unavailable:
                changes.missed += 1
                continue
            if told is not None:
                yield told
            elif quiet == _QUIET_TICKS:
                yield None
            else:
                continue
            quiet = 0


async def _told(
    service: Service, wanted: Wanted, page: JobPage, changes: JobChanges
) -> bytes | None:
    """One event; None when there is nothing to tell."""
    ids = dict.fromkeys(page.ids) | dict.fromkeys(changes.take(_MOST, wanted.status))
    changes.missed += max(0, len(ids) - _MOST) + bool(page.following)
    records = await service.records(list(ids)[:_MOST])
    found = [r for r in records if r and wanted.admits(r, whatever_status=True)]
    missed, changes.missed = changes.missed, 0
    if not found and not missed:
        return None
    return event({"jobs": [job_view(r) for r in found], "missed": missed}, kind="jobs")


async def _page(
    service: Service, wanted: Wanted, limit: int, *, after: str = "", above: str = ""
) -> JobPage:
    whose = caller.get().tenant

    def call(after: str, above: str) -> Call[JobPage]:
        return list_jobs(service.jobs, wanted, limit=limit, after=after, above=above, whose=whose)

    return await job_page(service.queue, call, limit=limit, after=after, above=above)


def _check_cursor(service: Service, after: str) -> None:
    """Raises InvalidRequest for what no page gave."""
    for place in split(after, len(service.queue.parts)) if after else ():
        if place and not has_ended(place):
            whole_number(place, what="after")


def _wanted(request: Request) -> Wanted:
    """What a list is to have. Raises InvalidRequest."""
    query = request.query_params
    status = query.get("status", "")
    if status and status not in set(JobState):
        raise InvalidRequest(f"status: one of {', '.join(JobState)}")
    return Wanted(
        status=status,
        model=query.get("model", ""),
        tenant=query.get("tenant", ""),
        error=query.get("error", ""),
        since_ms=_time(query.get("since", ""), what="since"),
        until_ms=_time(query.get("until", ""), what="until"),
    )


def _time(given: str, *, what: str) -> int | None:
    if not given:
        return None
    if _MS.fullmatch(given):
        return int(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidRequest(
            f"{what}: expected RFC 3339 with its zone, as 2026-11-29T14:00:00Z, or milliseconds"
        )
    return int(at.timestamp() * 1000)
