"""Conversations with the server, written once for sync and async clients.

A flow is a generator: it yields the next step (a call, a pause) and gets the reply back, so it
holds no connection, and two small drivers run all of them.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from ..protocol.errors import DeadlineExceeded, Unavailable, WherryError, from_code

T = TypeVar("T")

#: Seconds between two tries: doubled from the first to the last, with jitter.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds that the server may hold the answer, on top of the client's own timeout.
    held_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Some seconds of waiting."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, or the connection's failure."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    def json(self) -> Any:
        """The body as JSON."""
        from pydantic_core import from_json

        return from_json(self.content)


Step = Call | Pause
Flow = Generator[Step, Reply, T]


def reply_of(response: httpx.Response) -> Reply:
    """A driver's answer to a call."""
    return Reply(response.status_code, response.content, response.headers)


def failed(error: httpx.TransportError) -> Reply:
    """A driver's answer to a call that found no server."""
    return Reply(0, failure=f"{type(error).__name__}: {error}")


def ask(call: Call, *, patience_s: float) -> Flow[Reply]:
    """Make a call; while the server is away or full, try again for some seconds.

    Every call of this client may be repeated: submissions carry an id. Raises the server's error,
    or Unavailable when none answered.
    """
    pause_s, waited_s = _FIRST_PAUSE_S, 0.0
    while True:
        reply = yield call
        if reply.status and reply.status < 400:
            return reply
        error = error_of(reply)
        if not _transient(reply) or waited_s >= patience_s:
            raise error
        named = reply.headers.get("retry-after", "")
        wait_s = float(named) if named.isdigit() else pause_s
        wait_s *= random.uniform(0.5, 1.0)  # noqa: S311 # spreads clients, hides nothing
        yield Pause(wait_s)
        waited_s += wait_s
        pause_s = min(pause_s * 2, _LAST_PAUSE_S)


def _transient(reply: Reply) -> bool:
    return reply.status in (0, 429, 502, 503)


def error_of(reply: Reply) -> WherryError:
    """The error that a reply stands for."""
    if not reply.status:
        return Unavailable(f"the server cannot be reached ({reply.failure})")
    try:
        body = reply.json()
        return from_code(str(body.get("error_type", "")), str(body["error"]))
    except (ValueError, KeyError, AttributeError):
        if reply.status == 504:
            return DeadlineExceeded()
        return from_code("", f"the server answered {reply.status}")
