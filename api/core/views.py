"""Records and responses as clients read them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from pydantic_core import to_json

from ...jobs.owned import NOBODY
from ...jobs.record import BatchTook, JobRecord, StoredRequest, StoredResult
from ...protocol import codec, v2
from ..http.body import OFF_LOOP_BYTES, off_loop
from ..http.ids import job_path, shown_id

#: What binary answers are.
OCTETS = "application/octet-stream"

_HEADER_LENGTH = "Inference-Header-Content-Length"


def timestamp(ms: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 in UTC."""
    if ms is None:
        return None
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def job_view(record: JobRecord) -> dict[str, Any]:
    """A job's state."""
    path = job_path(record.id)
    error = {"type": record.error_type, "message": record.error} if record.error_type else None
    return {
        "id": shown_id(record.id),
        "status": record.status.value,
        "model_name": record.group.model,
        "model_version": record.group.version,
        "task": record.task,
        "rows": record.rows,
        "priority": record.group.priority,
        "attempt": record.attempt,
        "queue_position": record.queue_position,
        "estimated_start_at": timestamp(record.estimated_start_at_ms),
        "created_at": timestamp(record.created_at_ms),
        "started_at": timestamp(record.started_at_ms),
        "finished_at": timestamp(record.finished_at_ms),
        "worker": record.worker or None,
        "error": error,
        "tenant": None if record.group.tenant == NOBODY else record.group.tenant,
        "took": _took_view(record.took) if record.took else None,
        "trace_id": record.trace_id or None,
        "history": [change_view(record, number) for number in range(len(record.history))],
        "status_url": path,
        "result_url": f"{path}/result",
        "cancel_url": f"{path}/cancel",
        "events_url": f"{path}/events",
    }


def _took_view(took: BatchTook) -> dict[str, Any]:
    """What the batch took that had the job, in the order in which it happened."""
    return {
        "decode_ms": took.input_us / 1000,
        "device_wait_ms": took.waited_us / 1000,
        "compute_ms": took.compute_us / 1000,
        "output_ms": took.output_us / 1000,
        "total_ms": took.total_us / 1000,
        "batch_rows": took.rows,
    }


def change_view(record: JobRecord, number: int) -> dict[str, Any]:
    """One entry of a job's history."""
    change = record.history[number]
    view = {"status": change.status.value, "at": timestamp(change.at_ms), "attempt": change.attempt}
    if change.worker:
        view["worker"] = change.worker
    return view


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(to_json(body), status, headers, "application/json")


def job_response(
    record: JobRecord, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """A job's state: 200 at its end and 202 before, if no other status is given."""
    ended = record.status.terminal
    if status is None:
        status = 200 if ended else 202
    hint = {} if ended else {"Retry-After": "1"}
    return json_response(job_view(record), status, {**hint, **(headers or {})})


async def inference_response(
    stored: StoredResult,
    *,
    binary: bool = False,
    binary_names: Collection[str] = (),
    outputs: list[v2.RequestOutput] | None = None,
    response_id: str | None = None,
) -> Response:
    """A stored response in the form that the client wants, under its own id if it has one.

    Raises InvalidRequest for an unknown output, InvalidTensor for a NaN that JSON cannot carry.
    """
    plain = stored.header_length == len(stored.body)
    if plain and not (binary or binary_names or outputs or response_id is not None):
        return Response(stored.body, media_type="application/json")

    def work() -> tuple[bytes, int | None]:
        response = codec.decode_response(stored.body, stored.header_length)
        response = codec.select_outputs(response, outputs)
        if response_id is not None:
            response.id = response_id
        return codec.encode_response(response, binary=binary, binary_names=binary_names)

    large = len(stored.body) >= OFF_LOOP_BYTES
    body, header_length = await off_loop(work, large=large)
    if header_length is None:
        return Response(body, media_type="application/json")
    return binary_response(body, header_length)


async def request_response(
    stored: StoredRequest, *, texts: Collection[str] = (), binary: bool = False
) -> Response:
    """A stored request as a client may send it again; `texts` names the inputs that are no files.

    Raises InvalidTensor for a NaN that JSON cannot carry.
    """

    def work() -> tuple[bytes, int | None]:
        request = codec.decode_stored(stored.body, stored.header_length)
        for tensor in request.inputs:
            if tensor.name in texts:
                tensor.parameters = {**tensor.parameters, v2.CONTENT_TYPE: v2.TEXT}
        return codec.encode_request(request, binary=binary)

    body, header_length = await off_loop(work, large=len(stored.body) >= OFF_LOOP_BYTES)
    if header_length is None:
        return Response(body, media_type="application/json")
    return binary_response(body, header_length)


def binary_response(body: bytes, header_length: int) -> Response:
    """JSON of so many bytes, and raw tensors behind it."""
    return Response(body, headers={_HEADER_LENGTH: str(header_length)}, media_type=OCTETS)
