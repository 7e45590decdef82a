"""Celery's messages, protocol 2 in kombu's envelope, as far as they tell of a job.

See https://docs.celeryq.dev/en/stable/internals/protocol.html.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kombu.utils import json
from pydantic_core import from_json

from ...jobs.celery_tasks import SUBMIT
from ...protocol.errors import InvalidRequest, PayloadTooLarge
from ..http.body import OFF_LOOP_BYTES
from ..http.ids import checked_id

#: What is kept of a message until its job ends, for whoever tells Celery then.
_KEPT = (
    *("id", "task", "root_id", "parent_id", "group", "group_index", "ignore_result", "retries"),
    *("stamped_headers", "stamps", "replaced_task_nesting", "shadow", "origin"),
)

_FOLLOWING = ("callbacks", "errbacks", "chain", "chord")

#: The header that has an API key, which is not kept.
KEY_HEADER = "wherry_api_key"

#: Bytes that are kept of a message, at most: a chord's or chain's tasks, with their arguments.
_MOST_KEPT = 1_048_576


#: Seconds since the epoch that a time may be: the year 9999.
_MOST_S = 253_402_300_800


class NoMessage(ValueError):
    """It is none of Celery's, or has no id: nobody can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCall:
    """A task as it was sent, less its arguments."""

    id: str
    #: The header's; "" for none.
    api_key: str
    #: 0 for none.
    priority: int
    #: Seconds since the epoch; 0 for at once.
    eta_s: float
    #: Seconds since the epoch after which it shall not start; 0 for never.
    expires_s: float
    #: Seconds that it may run; 0 for no limit.
    time_limit_s: float
    envelope: Mapping[str, Any]  # kombu's

    @property
    def is_large(self) -> bool:
        """Whether reading it is to be done in a thread."""
        return len(self.envelope.get("body") or "") >= OFF_LOOP_BYTES


class TaskBody(NamedTuple):
    """A task's arguments, and the tasks that wait for it."""

    args: list[Any]  # any JSON
    kwargs: dict[str, Any]  # likewise
    #: Signatures under callbacks, errbacks, chain and chord.
    following: dict[str, Any]


def read_message(raw: bytes) -> TaskCall:
    """Read an envelope. Raises NoMessage."""
    try:
        envelope = from_json(raw)
        headers, properties = envelope["headers"], envelope.get("properties") or {}
        call = TaskCall(
            id=checked_id(_text(headers["id"])),
            api_key=_text(headers.get(KEY_HEADER) or ""),
            priority=int(properties.get("priority") or 0),
            eta_s=_time(headers.get("eta")),
            expires_s=_time(headers.get("expires")),
            time_limit_s=min(
                (_seconds(n) for n in headers.get("timelimit") or () if n), default=0.0
            ),
            envelope=envelope,
        )
    except (
        ArithmeticError,
        AttributeError,
        InvalidRequest,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise NoMessage(f"{type(error).__name__}: {error}") from None
    if headers.get("task") != SUBMIT:
        raise NoMessage(f"a message of the task {str(headers.get('task'))[:60]!r}")
    return call


def read_body(call: TaskCall, max_bytes: int) -> TaskBody:
    """Read a task's arguments. Raises InvalidRequest."""
    envelope = call.envelope
    kind, body = envelope.get("content-type"), envelope.get("body")
    if kind != "application/json":
        raise InvalidRequest(f"content type {str(kind)[:60]!r}: set task_serializer to 'json'")
    if envelope["headers"].get("compression"):
        raise InvalidRequest("compressed messages are not read: leave task_compression unset")
    if not isinstance(body, str) or len(body) > 2 * max_bytes:
        raise PayloadTooLarge(f"a message may have {max_bytes} bytes: name large files by URLs")
    try:
        if (envelope.get("properties") or {}).get("body_encoding") == "base64":
            read = json.loads(base64.b64decode(body))
        else:
            read = json.loads(body)
    except Exception:  # kombu's readers of dates, numbers and bytes raise what they like
        raise InvalidRequest("the message's body is no JSON") from None
    match read:
        case [list(args), dict(kwargs), dict(embedded)]:
            return TaskBody(args, kwargs, {name: embedded.get(name) for name in _FOLLOWING})
        case _:
            raise InvalidRequest("expected a message of Celery's task_protocol 2")


def context_of(call: TaskCall, following: Mapping[str, Any]) -> str:
    """What Celery needs to know at the task's end, as JSON. Raises PayloadTooLarge."""
    headers, properties = call.envelope["headers"], call.envelope.get("properties") or {}
    kept = {name: headers[name] for name in _KEPT if headers.get(name) is not None}
    kept |= {name: properties.get(name) for name in ("correlation_id", "reply_to")}
    # kombu's own form, for the bytes and dates that its reader has made.
    written: str = json.dumps({**kept, "delivery_info": {"priority": call.priority}, **following})
    if len(written) > _MOST_KEPT:
        raise PayloadTooLarge(
            f"the tasks that follow have {len(written)} bytes, and {_MOST_KEPT} are kept: "
            "name large files by URLs"
        )
    return written


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _seconds(value: Any) -> float:  # any JSON
    """Raises TypeError, ValueError for what is no number that a clock can have."""
    seconds = float(value)
    if not abs(seconds) <= _MOST_S:
        raise ValueError("no time")
    return seconds


def _time(value: object) -> float:
    """Seconds since the epoch of a time that Celery writes; 0 for none."""
    if not value:
        return 0.0
    if isinstance(value, int | float):
        return _seconds(value)
    found = datetime.fromisoformat(_text(value))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
