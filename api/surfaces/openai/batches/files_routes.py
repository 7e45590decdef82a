"""Files: what goes into batches, and what comes out of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from .....jobs.files import File, file_keys, file_page, forget_file, get_file, put_file
from .....protocol.errors import InvalidRequest, NotFound
from ....access.caller import caller
from ....core.blob_removal import remove
from ....core.service import Service
from ....core.store_threads import in_store
from ....core.views import json_response
from ....http.errors import shaped
from ....http.fast_route import FastRoute
from ....http.ids import uuid7
from ..requests import error_shape
from .expiry import asked_in_form, expires_at
from .upload import receive
from .views import file_view, list_view, read_limit

router = APIRouter(tags=["openai"], route_class=FastRoute)

_PURPOSE = "batch"

#: Files in one page, at most.
_MOST = 10_000


@router.post("/v1/files")
@shaped(error_shape)
async def create_file(request: Request) -> Response:
    """Take a file in."""
    service = Service.of(request)
    file_id = f"file-{uuid7().replace('-', '')}"
    found = await receive(
        request, service.store, file_keys(file_id), service.settings.max_file_bytes
    )
    try:
        purpose = found.fields.get("purpose")
        if purpose != _PURPOSE:
            raise InvalidRequest(f"purpose: only {_PURPOSE!r} is for anything here")
        if found.filename is None:
            raise InvalidRequest("file: the form has none")
        now = int(time.time())
        file = File(
            id=file_id,
            filename=found.filename,
            purpose=purpose,
            created_at=now,
            expires_at=expires_at(now, asked_in_form(found.fields), service.settings),
            tenant=caller.get().tenant,
            parts=tuple(found.parts),
        )
        await service.queue.run(put_file(file, service.jobs))
    except BaseException:
        await remove(service.store, [part.ref for part in found.parts])
        raise
    return json_response(file_view(file))


@router.get("/v1/files")
@shaped(error_shape)
async def list_files(request: Request) -> Response:
    """Files, newest first if not asked otherwise."""
    service, query = Service.of(request), request.query_params
    limit = read_limit(query.get("limit"), _MOST, _MOST)
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest("order: use asc or desc")
    found = await _page(
        service,
        query.get("purpose", ""),
        query.get("after", ""),
        limit + 1,
        newest_first=order == "desc",
    )
    views = [file_view(file) for file in found[:limit]]
    return json_response(list_view(views, more=len(found) > limit))


async def _page(
    service: Service, purpose: str, after: str, limit: int, *, newest_first: bool
) -> list[File]:
    """So many of the caller's files; those that have expired are passed over."""
    found: list[File] = []
    while True:
        ids = await service.queue.run(
            file_page(
                purpose,
                after,
                limit - len(found),
                service.jobs,
                newest_first=newest_first,
                tenant=caller.get().only,
            )
        )
        if ids is None:
            raise InvalidRequest(f"after: no file {after[:100]!r}")
        files = await asyncio.gather(*(service.queue.run(get_file(i, service.jobs)) for i in ids))
        now = time.time()
        found += [file for file in files if file and not file.expired(now)]
        if not ids or len(found) >= limit:
            return found
        after = ids[-1]


@router.get("/v1/files/{file_id}")
@shaped(error_shape)
async def retrieve_file(request: Request) -> Response:
    """What is known of a file."""
    return json_response(file_view(await known_file(request)))


@router.get("/v1/files/{file_id}/content")
@shaped(error_shape)
async def file_content(request: Request) -> Response:
    """A file's bytes."""
    service, file = Service.of(request), await known_file(request)

    async def parts() -> AsyncIterator[bytes]:
        for part in file.parts:
            yield await in_store(service.store.get, part.ref)

    name = quote(file.filename, safe="")
    headers = {
        "Content-Length": str(file.bytes),
        "Content-Disposition": f"attachment; filename*=utf-8''{name}",
    }
    return StreamingResponse(parts(), headers=headers, media_type="application/octet-stream")


@router.delete("/v1/files/{file_id}")
@shaped(error_shape)
async def delete_file(request: Request) -> Response:
    """Forget a file."""
    service, file = Service.of(request), await known_file(request)
    if await service.queue.run(forget_file(file, service.jobs)):
        await remove(service.store, [part.ref for part in file.parts])
    return json_response({"id": file.id, "object": "file", "deleted": True})


async def known_file(request: Request) -> File:
    """The file that a request's path names. Raises NotFound."""
    file_id = request.path_params["file_id"]
    file = await own_file(Service.of(request), file_id)
    if file is None:
        raise NotFound(f"no file {file_id[:100]!r}")
    return file


async def own_file(service: Service, file_id: str) -> File | None:
    """A file; None for an unknown id, for one that is not the caller's, and for an expired one."""
    file = await service.queue.run(get_file(file_id, service.jobs))
    if file is None or file.expired(time.time()):
        return None
    return file if caller.get().sees(file.tenant) else None
