"""Batches: made, looked at, cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, ValidationError, model_validator

from .....jobs.batches import (
    Batch,
    BatchSpec,
    BatchStatus,
    batch_page,
    cancel_batch,
    create_batch,
    get_batch,
)
from .....protocol import v2
from .....protocol.errors import Conflict, InvalidRequest, NotFound
from .....protocol.first_fault import FirstFault, few_fields
from ....access.caller import caller
from ....core.service import Service
from ....core.views import json_response
from ....http.body import read_document
from ....http.errors import shaped
from ....http.fast_route import FastRoute
from ....http.ids import idempotency_key, uuid7
from ..requests import NullIsAbsent, error_shape
from .endpoints import checked_endpoint
from .expiry import ExpiresAfter
from .files_routes import own_file
from .views import batch_view, list_view, read_limit

router = APIRouter(tags=["openai"], route_class=FastRoute)

_WINDOW = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 30 * 86_400

#: Pairs of metadata, and characters of their names and values.
_PAIRS, _NAME, _VALUE = 16, 64, 512


class BatchRequest(NullIsAbsent, FirstFault):
    """A batch to make."""

    model_config = ConfigDict(extra="forbid")

    input_file_id: str
    endpoint: str
    completion_window: str = "24h"
    metadata: dict[str, str] | None = Field(default=None, max_length=_PAIRS)
    output_expires_after: ExpiresAfter | None = None

    _few_fields = model_validator(mode="before")(few_fields)


@router.post("/v1/batches")
@shaped(error_shape)
async def create(request: Request) -> Response:
    """Make a batch of a file's lines. The same Idempotency-Key again is the same batch."""
    service = Service.of(request)
    body = (await read_document(request, service.settings.max_body_bytes)).fields
    try:
        asked = BatchRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(v2.describe(error, BatchRequest)) from None
    _check_metadata(asked.metadata or {})
    file = await own_file(service, asked.input_file_id)
    if file is None:
        raise InvalidRequest(f"input_file_id: no file {asked.input_file_id[:100]!r}")
    if file.purpose != "batch":
        raise InvalidRequest("input_file_id: the file's purpose is not 'batch'")
    now = int(time.time())
    made = BatchSpec(
        id=_batch_id(request),
        endpoint=checked_endpoint(asked.endpoint),
        input_file_id=file.id,
        completion_window=asked.completion_window,
        created_at=now,
        expires_at=now + _seconds(asked.completion_window),
        metadata=asked.metadata,
        tenant=caller.get().tenant,
        output_kept_s=asked.output_expires_after and asked.output_expires_after.seconds,
        input_expires_at=file.expires_at,
    )
    created = await service.queue.run(create_batch(made, service.jobs))
    batch = await _known(service, made.id)
    if not created and not _same(batch.asked, made):
        raise Conflict("Idempotency-Key: it stands for another batch")
    request.app.state.batches.kick()
    return json_response(batch_view(batch))


@router.get("/v1/batches")
@shaped(error_shape)
async def list_batches(request: Request) -> Response:
    """Batches, newest first."""
    service, query = Service.of(request), request.query_params
    limit, after = read_limit(query.get("limit"), 20, 100), query.get("after", "")
    ids = await service.queue.run(
        batch_page(after, limit + 1, service.jobs, tenant=caller.get().only)
    )
    if ids is None:
        raise InvalidRequest(f"after: no batch {after[:100]!r}")
    found = await asyncio.gather(
        *(service.queue.run(get_batch(i, service.jobs)) for i in ids[:limit])
    )
    views = [batch_view(batch) for batch in found if batch]
    return json_response(list_view(views, more=len(ids) > limit))


@router.get("/v1/batches/{batch_id}")
@shaped(error_shape)
async def retrieve(request: Request) -> Response:
    """A batch as it stands."""
    batch = await _known(Service.of(request), request.path_params["batch_id"])
    return json_response(batch_view(batch))


@router.post("/v1/batches/{batch_id}/cancel")
@shaped(error_shape)
async def cancel(request: Request) -> Response:
    """End a batch: what waits is cancelled, what was answered stays."""
    service, batch_id = Service.of(request), request.path_params["batch_id"]
    await _known(service, batch_id)  # before anything is done: it may be another's
    status = await service.queue.run(cancel_batch(batch_id, service.jobs))
    if status is not None and (status.terminal or status is BatchStatus.FINALIZING):
        raise Conflict(f"batch {batch_id!r} is {status.value}: there is nothing to cancel")
    return json_response(batch_view(await _known(service, batch_id)))


async def _known(service: Service, batch_id: str) -> Batch:
    batch = await service.queue.run(get_batch(batch_id, service.jobs))
    if batch is None or not caller.get().sees(batch.asked.tenant):
        raise NotFound(f"no batch {batch_id[:100]!r}")
    return batch


def _batch_id(request: Request) -> str:
    key = idempotency_key(request)
    if not key:
        return f"batch_{uuid7().replace('-', '')}"
    return f"batch_{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _same(one: BatchSpec, other: BatchSpec) -> bool:
    times = {"created_at", "expires_at"}
    return one.model_dump(exclude=times) == other.model_dump(exclude=times)


def _seconds(window: str) -> int:
    found = _WINDOW.fullmatch(window)
    seconds = int(found[1]) * _UNIT_S[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_S:
        raise InvalidRequest("completion_window: a time such as 24h, 90m or 7d, 30d at most")
    return seconds


def _check_metadata(metadata: dict[str, str]) -> None:
    for name, value in metadata.items():
        if len(name) > _NAME or len(value) > _VALUE:
            raise InvalidRequest(f"metadata: a name may have {_NAME} characters, a value {_VALUE}")
