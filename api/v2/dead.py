"""Dead letters, for the operator: list, look, replay, drop. See docs/dead-letters.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from ...jobs import JobRecord
from ...jobs.call import Call
from ...jobs.dead import DeadPage, DeadRequest, drop, list_dead, read_dead
from ...jobs.recover import requeue
from ...protocol.errors import Conflict, InvalidRequest, JobNotFound, WherryError
from ...protocol.json_text import parse_json
from ..core.merged_lists import dead_page
from ..core.service import Service, away_view
from ..core.store_threads import in_store
from ..core.views import job_response, job_view, json_response
from ..http.fast_route import FastRoute
from ..http.ids import path_job_id, shown_id
from ..http.prefer import whole_number

log = logging.getLogger(__name__)

router = APIRouter(tags=["dead letters"], route_class=FastRoute)

#: Dead letters on one page, and that one call replays or drops.
_PAGE, _LARGEST_PAGE = "50", 1000

#: Calls to Redis that look for a page's letters, of 400 each.
_LOOKS = 5


@router.get("/v2/dead")
async def list_dead_letters(request: Request) -> Response:
    """Dead letters, newest first: `?model=&error=&limit=&after=`. `error` is a part of its text."""
    service = Service.of(request)
    page = await _page(service, request)
    records = await service.records(page.ids)
    return json_response(
        {
            "jobs": [job_view(record) for record in records if record is not None],
            "total": page.total,
            "next": page.following or None,
            **away_view(service),
        }
    )


@router.get("/v2/dead/{job_id}")
async def get_dead_letter(request: Request) -> Response:
    """A dead letter's record and history, and what it was asked, without the data."""
    service, job_id = Service.of(request), path_job_id(request)
    record = await service.record(job_id)
    asked = await service.queue.run(read_dead(job_id, service.jobs))
    return json_response({**job_view(record), "request": await _summary(service, asked)})


@router.post("/v2/dead/{job_id}/replay")
async def replay_dead_letter(request: Request) -> Response:
    """Put a dead letter back in its queue, under its id and with its history."""
    service, job_id = Service.of(request), path_job_id(request)
    await _replay(service, await service.record(job_id))
    return job_response(await service.record(job_id), 202)


@router.delete("/v2/dead/{job_id}")
async def drop_dead_letter(request: Request) -> Response:
    """Give a dead letter up. The job stays `failed` until its record runs out."""
    service, job_id = Service.of(request), path_job_id(request)
    record = await service.record(job_id)
    await _drop(service, record)
    return job_response(record, 200)


@router.post("/v2/dead:replay")
async def replay_dead_letters(request: Request) -> Response:
    """Replay a page of dead letters: filter and go on as in the list."""
    return await _each(request, "replayed", _replay)


@router.post("/v2/dead:drop")
async def drop_dead_letters(request: Request) -> Response:
    """Drop a page of dead letters: filter and go on as in the list."""
    return await _each(request, "dropped", _drop)


async def _page(service: Service, request: Request) -> DeadPage:
    query = request.query_params
    limit = whole_number(query.get("limit", _PAGE), what="limit", least=1, most=_LARGEST_PAGE)
    after, ids = query.get("after", ""), tuple[str, ...]()
    looks = 0
    while True:
        wanted = partial(_wanted, service, query, limit - len(ids))
        page = await dead_page(service.queue, wanted, limit=limit - len(ids), after=after)
        ids, after, looks = ids + page.ids, page.following, looks + 1
        if not after or len(ids) >= limit or looks == _LOOKS:
            return DeadPage(ids, after, page.total)


def _wanted(service: Service, query: Mapping[str, str], limit: int, after: str) -> Call[DeadPage]:
    return list_dead(
        service.jobs,
        model=query.get("model", ""),
        error=query.get("error", ""),
        limit=limit,
        after=after,
    )


async def _each(
    request: Request, word: str, act: Callable[[Service, JobRecord], Awaitable[None]]
) -> Response:
    """Do something to a page; one that somebody else was quicker with is left out."""
    service = Service.of(request)
    page = await _page(service, request)
    records = [record for record in await service.records(page.ids) if record is not None]
    ended = await asyncio.gather(*(act(service, r) for r in records), return_exceptions=True)
    for end in ended:
        if isinstance(end, BaseException) and not isinstance(end, Conflict | JobNotFound):
            raise end
    done = [shown_id(r.id) for r, end in zip(records, ended, strict=True) if end is None]
    return json_response({word: done, "next": page.following or None})


async def _replay(service: Service, record: JobRecord) -> None:
    await service.queue.run(requeue(record.id, record.group, service.jobs))


async def _drop(service: Service, record: JobRecord) -> None:
    ref = await service.queue.run(drop(record.id, service.jobs))
    if ref:
        try:
            await in_store(service.store.delete, ref)
        except WherryError as error:
            log.warning("blob %s stays behind: %s", ref, error.message)


async def _summary(service: Service, asked: DeadRequest) -> dict[str, Any]:
    """A request as an operator may see it: names, shapes and parameters, but no data."""
    header, stored = asked.header, "inline"
    if asked.ref:
        stored = asked.ref
        try:
            header = await in_store(service.store.get, asked.ref)
        except WherryError as error:
            return {"bytes": asked.size, "payload": stored, "problem": error.message}
    try:
        document = parse_json(header[: asked.header_length])
        inputs = [_tensor(tensor) for tensor in document["inputs"]]
    except (InvalidRequest, KeyError, TypeError, AttributeError):
        return {"bytes": asked.size, "payload": stored, "problem": "the payload cannot be read"}
    parameters = document.get("parameters") or {}
    return {"bytes": asked.size, "payload": stored, "inputs": inputs, "parameters": parameters}


def _tensor(tensor: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.get(name) for name in ("name", "datatype", "shape")}
