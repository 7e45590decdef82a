"""The asynchronous extension: letting jobs go whose answers are kept elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...jobs.batches import forget_soon
from ..core.blob_removal import remove_later
from ..core.service import Service
from ..http import openapi_examples
from ..http.body import read_document
from ..http.fast_route import FastRoute
from .many_jobs import stored_ids

router = APIRouter(tags=["jobs"], route_class=FastRoute)


@router.post("/v2/jobs:forget", **openapi_examples.FORGET)
async def forget(request: Request) -> Response:
    """Let ended jobs go now, with their results; those that have not ended stay."""
    service = Service.of(request)
    document = (await read_document(request, service.settings.max_body_bytes)).fields
    stored = stored_ids(document, service.settings.max_jobs_per_batch)
    refs = await service.queue.run(forget_soon(stored, 0, service.jobs)) if stored else []
    if refs:
        remove_later(service.store, refs)
    return Response(status_code=204)
