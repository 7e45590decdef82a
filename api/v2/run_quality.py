"""How good a run's answers are so far: drift, look-alikes, its report, rows to look at first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from ...jobs.run_blobs import manifest, read_stored
from ...jobs.run_pick import MOST_PICKED
from ...jobs.run_quality import NearRows, Quality
from ...jobs.run_records import Run
from ...jobs.runs import shards_of
from ...protocol.errors import InvalidRequest, NotFound
from ...tasks.annotations.formats import formats_of
from ...tasks.registry import get_task
from ..core.run_quality import picked_lines, picked_tasks, quality_of
from ..core.run_service import sheets_of
from ..core.run_views import file_stem
from ..core.service import Service
from ..core.store_threads import in_store
from ..core.views import json_response
from ..http import openapi_runs
from ..http.fast_route import FastRoute
from ..http.ids import shown_id
from ..http.prefer import whole_number
from .run_rows import picture_url
from .runs import known_run

router = APIRouter(tags=["runs"], route_class=FastRoute)

#: How the page about a run ends that lies beside its output.
_PAGE = ".report.html"

#: Rows that are picked where nobody says how many.
_PICKED = "200"

_FORMATS = ("label-studio", "jsonl")

#: No browser is to run what is in a page: it needs its own style and pictures alone.
_PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
    ),
}


@router.get("/v2/runs/{run_id}/quality", **openapi_runs.QUALITY)
async def get_quality(request: Request) -> Response:
    """What finished shards tell: drift along the source, why rows failed, look-alikes."""
    service, run = Service.of(request), await known_run(request)
    shards = await service.queue.run(shards_of(run.spec.id, service.jobs))
    told, near = await in_store(quality_of, service.store, run, shards)
    return json_response({**told, "near_duplicates": _with_pictures(run, near)})


@router.get("/v2/runs/{run_id}/report", **openapi_runs.REPORT)
async def get_report(request: Request) -> Response:
    """The page about a run; while it goes on, that about its sample."""
    service, run = Service.of(request), await known_run(request)
    output = run.progress.output
    if output and not output.place:
        files = await in_store(manifest, service.store, output)
        found = [file for file in files if file.name.endswith(_PAGE)]
        if found:
            data = await in_store(lambda: b"".join(read_stored(service.store, output, found[0])))
            return _page(run, data)
    shards = await service.queue.run(shards_of(run.spec.id, service.jobs))
    page = await in_store(Quality(service.store, run, shards).report)
    if page is None or (output and output.place):
        raise NotFound(_nowhere(run))
    return _page(run, page)


def _nowhere(run: Run) -> str:
    output, name = run.progress.output, shown_id(run.spec.id)
    if output and output.place:
        return f"the report of run {name!r} was written beside {output.place}"
    return f"run {name!r} is {run.state}: its report is made at its end, or behind its sample"


def _page(run: Run, data: bytes) -> Response:
    headers = {**_PAGE_HEADERS, **_named(run, "report.html")}
    return Response(data, headers=headers, media_type="text/html")


@router.get("/v2/runs/{run_id}/pick", **openapi_runs.PICK)
async def get_pick(request: Request) -> Response:
    """The rows of which the model is least sure: `?least_sure=&by_label=&format=&media_prefix=`."""
    service, query = Service.of(request), request.query_params
    run = await known_run(request)
    text = query.get("least_sure", _PICKED)
    count = whole_number(text, what="least_sure", least=1, most=MOST_PICKED)
    by_label = query.get("by_label", "").lower() in ("1", "true")
    wanted = query.get("format", "") or "label-studio"
    _check_pick(run, wanted)
    sheets = await sheets_of(service, run)
    if wanted == "jsonl":
        lines = picked_lines(sheets, count, by_label=by_label)
        headers = _named(run, "picks.jsonl")
        return StreamingResponse(_sent(lines), headers=headers, media_type="application/jsonl")
    prefix = query.get("media_prefix", "")[:_LONGEST]
    tasks = picked_tasks(sheets, run, count, prefix, by_label=by_label)
    headers = _named(run, "picks.json")
    return StreamingResponse(_sent(tasks), headers=headers, media_type="application/json")


#: Characters of a media prefix.
_LONGEST = 4096


def _check_pick(run: Run, wanted: str) -> None:
    """Raise InvalidRequest for a format that cannot hold the run's rows."""
    if wanted not in _FORMATS:
        raise InvalidRequest(f"format: {wanted[:40]!r} is none of {', '.join(_FORMATS)}")
    if wanted != "label-studio":
        return
    if run.plan is None:
        raise NotFound(f"run {shown_id(run.spec.id)!r} has no rows yet")
    if wanted not in [found.name for found in formats_of(get_task(run.plan.task))]:
        raise InvalidRequest(
            f"format: label-studio cannot hold what {run.plan.task} answers; use jsonl"
        )


async def _sent(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await in_store(next, chunks, None)) is not None:
        yield chunk


def _named(run: Run, end: str) -> dict[str, str]:
    name = quote(f"{file_stem(run)}-{end}", safe="")
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}


def _with_pictures(run: Run, near: NearRows) -> dict[str, Any] | None:
    if not near.told:
        return None
    listed = [
        {
            **group,
            "rows": [
                {**row, "picture_url": picture_url(run, near.rows[row["index"]])}
                if row["index"] in near.rows
                else {**row, "picture_url": None}
                for row in group["rows"]
            ],
        }
        for group in near.told["listed"]
    ]
    return {**near.told, "listed": listed}
