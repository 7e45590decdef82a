"""What a client asks of many jobs in one round trip, as flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from ..protocol import codec, many, v2
from ..protocol.errors import Unavailable, WherryError
from .flow import Flow, HttpRequest, ask
from .operations import HEADER_LENGTH, OCTETS, get_json

#: Asks, of many jobs, for no more of each than a map reads.
_MINIMAL = "return=minimal"


def takes_binary(*, patience_s: float) -> Flow[bool]:
    """Whether the server reads many requests with their raw tensors behind the JSON."""
    try:
        metadata = yield from get_json("/v2", patience_s=patience_s)
    except Unavailable:
        raise
    except WherryError:
        return False  # whatever it is, it does not say so
    return many.EXTENSION in metadata.get("extensions", ())


def submit_many(
    model: str, requests: Sequence[v2.InferenceRequest], *, binary: bool, patience_s: float
) -> Flow[list[dict[str, Any]]]:
    """Submit jobs in one round trip: an outcome each."""
    headers = {"Prefer": _MINIMAL}
    if binary:
        body, length = many.encode_submission(model, requests)
        headers |= {HEADER_LENGTH: str(length), "Content-Type": OCTETS}
    else:
        entries = [
            {"model_name": model, "request": codec.request_parts(r, binary=False)[0]}
            for r in requests
        ]
        body = to_json({"jobs": entries})
    call = HttpRequest("POST", "/v2/jobs:batch", body, headers)
    reply = yield from ask(call, patience_s=patience_s)
    outcomes: list[dict[str, Any]] = reply.json()["jobs"]
    return outcomes


def forget_many(job_ids: Sequence[str], *, patience_s: float) -> Flow[None]:
    """Let ended jobs go in one round trip."""
    body = to_json({"ids": list(job_ids)})
    yield from ask(HttpRequest("POST", "/v2/jobs:forget", body), patience_s=patience_s)


def read_many(
    job_ids: Sequence[str], held_s: float, *, patience_s: float
) -> Flow[list[dict[str, Any]]]:
    """States and answers of jobs in one round trip, once one of them has ended.

    An older server answers in JSON, and tells more.
    """
    body = to_json({"ids": list(job_ids), "wait": held_s, "results": True})
    headers = {"Accept": f"{OCTETS}, application/json", "Prefer": _MINIMAL}
    call = HttpRequest("POST", "/v2/jobs:status", body, headers, held_s)
    reply = yield from ask(call, patience_s=patience_s)
    length = reply.headers.get(HEADER_LENGTH.lower())
    document = many.decode_results(reply.content, int(length)) if length else reply.json()
    views: list[dict[str, Any]] = document["jobs"]
    return views
