"""Many requests, or many answers, in one body: JSON for all, then the raw tensors of all, in order.

The binary extension's one header, `Inference-Header-Content-Length`, says where the JSON ends. In
it each tensor that declares a `binary_data_size` has its bytes behind it, in the order in which the
tensors stand: entry by entry, tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import codec
from .elements import Raw
from .errors import InvalidRequest
from .json_kinds import in_words
from .v2 import InferenceRequest

#: What a server that reads and writes this form has among the extensions of its metadata.
EXTENSION = "binary_jobs"

#: In an entry of a submission and of an answer: what has tensors, and under which name.
_REQUEST, _RESULT = ("request", "inputs"), ("result", "outputs")


def decode_submission(body: Raw, header_length: int) -> dict[str, Any]:
    """Read the JSON of many requests; raw tensors are views of `body`, in their `data`.

    Only what says where each tensor's bytes lie is checked: an entry may be no request. Raises
    InvalidRequest that names entry and tensor.
    """
    return _decoded(body, header_length, *_REQUEST)


def decode_results(body: Raw, header_length: int) -> dict[str, Any]:
    """Read the JSON of many jobs with their answers, as `decode_submission` reads requests."""
    return _decoded(body, header_length, *_RESULT)


def encode_submission(model: str, requests: Iterable[InferenceRequest]) -> tuple[bytes, int]:
    """Write requests to one model: the body, and its JSON's length."""
    entries, raws = [], list[codec.Pieces]()
    for request in requests:
        header, pieces = codec.request_parts(request, binary=True)
        entries.append({"model_name": model, "request": header})
        raws += pieces
    body, length = codec.join({"jobs": entries}, raws, always=True)
    return body, length or 0


def _decoded(body: Raw, header_length: int, member: str, field: str) -> dict[str, Any]:
    document, rest = codec.split(body, header_length)
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {in_words(document)}")
    jobs, at = document.get("jobs"), 0
    for index, job in enumerate(jobs if isinstance(jobs, list) else ()):
        held = job.get(member) if isinstance(job, dict) else None
        tensors = held.get(field) if isinstance(held, dict) else None
        if isinstance(tensors, list):
            place = f"jobs[{index}].{member}.{field}"
            at = codec.attach(tensors, rest, place, has_header=True, at=at)
    codec.check_end(rest, at)
    return document
