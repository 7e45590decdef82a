"""The rows of runs with their answers: page by page, with their pictures, two runs side by side."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from fastapi import APIRouter, Request, Response

from ...jobs.run_compare import compared
from ...jobs.run_records import Run
from ...jobs.run_rows import PlacedRow, RowsWanted
from ...protocol.errors import InvalidRequest
from ..access.caller import caller
from ..core.run_service import find_run, sheets_of, sheets_of_both
from ..core.run_views import run_path
from ..core.service import Service
from ..core.store_threads import in_store
from ..core.views import json_response
from ..http import openapi_runs
from ..http.fast_route import FastRoute
from ..http.prefer import whole_number
from .runs import known_run

router = APIRouter(tags=["runs"], route_class=FastRoute)

#: Rows on one page.
_PAGE, _LARGEST_PAGE = "100", 1000

#: Characters of a label that rows are filtered by.
_LONGEST_LABEL = 1000

#: How pictures begin that a browser may draw; all else is only bytes to it.
_KINDS = ((b"RIFF", "image/webp"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n", "image/png"))

_PICTURE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=86400",  # a finished shard's pictures stay as they are
}

_YES_OR_NO = {"": None, "1": True, "true": True, "0": False, "false": False}


@router.get("/v2/runs/{run_id}/rows", **openapi_runs.ROWS)
async def get_rows(request: Request) -> Response:
    """Rows of finished shards: `?failed=&label=&first_label=&min_score=&max_score=`, and
    `&order=&after=&limit=`.
    """
    service, query = Service.of(request), request.query_params
    run = await known_run(request)
    wanted, limit = _wanted(request), _limit(request)
    sheets = await sheets_of(service, run)
    page = await in_store(sheets.page, wanted, query.get("after", ""), limit)
    return json_response(
        {
            "rows": [_row_view(run, placed) for placed in page.rows],
            "after": page.after or None,
            **({} if page.ordered is None else {"ordered": page.ordered, "of": sheets.counted}),
        }
    )


@router.get("/v2/runs/{run_id}/rows/{index}/picture", **openapi_runs.PICTURE)
async def get_picture(request: Request) -> Response:
    """A row's thumbnail."""
    service, shard = Service.of(request), request.query_params.get("shard")
    index = whole_number(request.path_params["index"], what="index")
    number = whole_number(shard, what="shard") if shard else None
    sheets = await sheets_of(service, await known_run(request))
    data = await in_store(lambda: sheets.picture(sheets.row(index, number)))
    kind = next((kind for begin, kind in _KINDS if data.startswith(begin)), "")
    return Response(data, headers=_PICTURE_HEADERS, media_type=kind or "application/octet-stream")


@router.get("/v2/runs/{run_id}/compare", **openapi_runs.COMPARE)
async def compare_runs(request: Request) -> Response:
    """This run beside another over the same rows, least agreement first: `?with=ID&label=`."""
    service, query = Service.of(request), request.query_params
    one = await known_run(request)
    given = query.get("with", "")
    if not given:
        raise InvalidRequest("with: name the run to compare with")
    other = await find_run(service, caller.get().stored(given[:200]))
    sheets = await sheets_of_both(service, one, other)
    found = await asyncio.to_thread(
        compared, *sheets, _label(request), query.get("after", ""), _limit(request)
    )
    rows = [
        {
            "index": pair.a.row["index"],
            "id": pair.a.row["id"],
            "a": _row_view(one, pair.a),
            "b": _row_view(other, pair.b),
            "agreement": pair.agreement,
        }
        for pair in found.rows
    ]
    return json_response(
        {
            "rows": rows,
            "after": found.after or None,
            "agreement": found.agreement,
            "same_first_label": found.same_first_label,
            "counted": found.counted,
            "of": found.of,
        }
    )


def _row_view(run: Run, placed: PlacedRow) -> dict[str, Any]:
    row = {name: value for name, value in placed.row.items() if name != "picture"}
    return {**row, "picture_url": picture_url(run, placed)}


def picture_url(run: Run, placed: PlacedRow) -> str | None:
    """Where a row's small picture is; None without one."""
    if not placed.row.get("picture"):
        return None
    path = f"{run_path(run.spec.id)}/rows/{placed.row['index']}/picture"
    # When it was made tells a browser's cache the run from an earlier one of its id.
    return f"{path}?shard={placed.place.shard}&of={run.spec.created_at_ms}"


def _wanted(request: Request) -> RowsWanted:
    """Which rows a request wants. Raises InvalidRequest."""
    query = request.query_params
    failed, order = query.get("failed", "").lower(), query.get("order", "") or "index"
    if failed not in _YES_OR_NO:
        raise InvalidRequest("failed: true or false")
    if order not in ("index", "score"):
        raise InvalidRequest("order: index, or score for the least sure first")
    return RowsWanted(
        failed=_YES_OR_NO[failed],
        label=_label(request),
        first_label=_label(request, "first_label"),
        min_score=_score(request, "min_score", -math.inf),
        max_score=_score(request, "max_score", math.inf),
        by_score=order == "score",
    )


def _label(request: Request, name: str = "label") -> str:
    return request.query_params.get(name, "")[:_LONGEST_LABEL]


def _score(request: Request, name: str, otherwise: float) -> float:
    text = request.query_params.get(name, "")
    if not text:
        return otherwise
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a number")
    return score


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", _PAGE)
    return whole_number(text, what="limit", least=1, most=_LARGEST_PAGE)
