"""For whoever receives webhooks: whether a call came from the fleet, and what it says."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..protocol.errors import InvalidRequest
from ..protocol.webhooks import ID, SIGNATURE, TIMESTAMP, is_signed, secret_key

#: Seconds that the sender's clock and ours may be apart, and a call may be old.
TOLERANCE_S = 300


class Webhook(NamedTuple):
    """A call that was verified."""

    #: The same each time that this call is made: pass over one that was seen before.
    id: str
    #: `job.succeeded`, `job.failed`, `job.canceled` or `job.expired`.
    type: str
    #: When the job ended, RFC 3339.
    timestamp: str
    #: The job's state, as `GET /v2/jobs/{id}` tells it; its result is at `result_url`.
    data: dict[str, Any]


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> Webhook:
    """Read a call, if one of the secrets signed it. `body` is the raw one, byte for byte.

    Raises InvalidRequest for any other call, and ValueError for a secret that is none.
    """
    secrets = [secret] if isinstance(secret, str) else secret
    keys = [secret_key(one) for one in secrets]
    found = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in (ID, TIMESTAMP, SIGNATURE) if not found.get(name)]
    if missing:
        raise InvalidRequest(f"webhook: the header {missing[0]} is missing")
    sent_at = found[TIMESTAMP]
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        raise InvalidRequest(f"webhook: {TIMESTAMP} is no time")
    now = time.time() if now_s is None else now_s
    if abs(now - int(sent_at)) > tolerance_s:
        raise InvalidRequest(f"webhook: it was sent over {tolerance_s:g} s from now")
    if not is_signed(keys, found[ID], int(sent_at), body, found[SIGNATURE]):
        raise InvalidRequest("webhook: no signature fits")
    try:
        document = from_json(body)
        return Webhook(found[ID], document["type"], document["timestamp"], document["data"])
    except (ValueError, KeyError, TypeError):
        raise InvalidRequest("webhook: the body is not of the fleet's form") from None
