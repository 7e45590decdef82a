"""Uploads: data sets that clients send for runs to read. See docs/runs.md."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from ...jobs.uploads import SCHEME, Upload, forget_upload, get_upload
from ...protocol.errors import NotFound
from ..access.caller import caller
from ..core.blob_removal import remove
from ..core.held_uploads import let_go
from ..core.service import Service
from ..core.upload_intake import take_upload
from ..core.views import json_response, timestamp
from ..http import openapi_runs
from ..http.fast_route import FastRoute

router = APIRouter(tags=["uploads"], route_class=FastRoute)


@router.post("/v2/uploads", **openapi_runs.UPLOAD)
async def send_upload(request: Request) -> Response:
    """Send a folder, as a form of files with their paths as names, or a zip or tar archive."""
    upload = await take_upload(request, Service.of(request))
    return json_response(_view(upload), 201, {"Location": f"/v2/uploads/{upload.id}"})


@router.get("/v2/uploads/{upload_id}", **openapi_runs.UPLOAD_VIEW)
async def show_upload(request: Request) -> Response:
    """What is known of an upload."""
    return json_response(_view(await _known(request)))


@router.delete("/v2/uploads/{upload_id}", **openapi_runs.UPLOAD_GONE)
async def delete_upload(request: Request) -> Response:
    """Forget an upload; 409 while a run reads it."""
    service, upload = Service.of(request), await _known(request)
    await let_go(service, upload.id)
    if await service.queue.run(forget_upload(upload, service.jobs)):
        await remove(service.store, upload.refs)
    return Response(status_code=204)


async def _known(request: Request) -> Upload:
    """The upload that a request's path names. Raises NotFound for another tenant's too."""
    service, upload_id = Service.of(request), request.path_params["upload_id"]
    upload = await service.queue.run(get_upload(upload_id, service.jobs))
    if upload is None or upload.expired(time.time()) or not caller.get().sees(upload.tenant):
        raise NotFound(f"no upload {upload_id[:100]!r}")
    return upload


def _view(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "name": upload.name,
        "files": upload.files,
        "bytes": upload.bytes,
        "archive": upload.archive or None,
        "created_at": timestamp(upload.created_at * 1000),
        "expires_at": timestamp(upload.expires_at * 1000),
        "source": f"{SCHEME}{upload.id}",
    }
