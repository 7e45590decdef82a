"""Formats of annotations: what a run may write, and what its answers may be fetched as."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...protocol.errors import InvalidRequest
from ...tasks.annotations.formats import FORMATS, formats_of
from ...tasks.registry import task_of
from ..core.views import json_response
from ..http import openapi_runs
from ..http.fast_route import FastRoute

router = APIRouter(tags=["runs"], route_class=FastRoute)


@router.get("/v2/formats", **openapi_runs.FORMATS)
async def list_formats(request: Request) -> Response:
    """Formats of annotations; `?task=` those that can hold a task's answers."""
    name = request.query_params.get("task", "")
    try:
        found = formats_of(task_of(name)) if name else FORMATS
    except ValueError as error:
        raise InvalidRequest(f"task: {error}") from None
    views = [
        {
            "name": each.name,
            "title": each.title,
            "suffix": each.suffix,
            "is_folder": each.is_folder,
        }
        for each in found
    ]
    return json_response({"formats": views})
