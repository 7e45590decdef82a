"""Uploads that runs read: none goes meanwhile."""

from __future__ import annotations

import time

from ...jobs.runs import get_runs
from ...jobs.uploads import SCHEME, get_upload, hold_upload, release_upload, upload_readers
from ...protocol.errors import InvalidRequest
from ..access.caller import caller
from .service import Service


def upload_id_of(source: str) -> str:
    """The upload that a source names; "" for another source."""
    return source.removeprefix(SCHEME).partition("/")[0] if source.startswith(SCHEME) else ""


async def hold(service: Service, source: str, run_id: str) -> None:
    """Keep the upload that a run's source names. Raises InvalidRequest where there is none."""
    upload_id = upload_id_of(source)
    if not upload_id:
        return
    upload = await service.queue.run(get_upload(upload_id, service.jobs))
    if upload is not None and caller.get().sees(upload.tenant):
        call = hold_upload(upload_id, run_id, time.time(), service.jobs)
        upload = await service.queue.run(call)
    else:
        upload = None
    if upload is None:
        raise InvalidRequest(f"source: no upload {upload_id[:100]!r}; it may have expired")


async def let_go(service: Service, upload_id: str) -> None:
    """Note that runs which have ended read an upload no more."""
    run_ids = await service.queue.run(upload_readers(upload_id, service.jobs))
    if not run_ids:
        return
    runs = await service.queue.run(get_runs(run_ids, service.jobs))
    for run_id, run in zip(run_ids, runs, strict=True):
        if run is None or run.state.terminal:
            await service.queue.run(release_upload(upload_id, run_id, service.jobs))
