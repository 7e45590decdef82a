"""Conversations with the server, written once for sync and async clients.

A flow is a generator: it yields the next step (a call, a pause) and gets the reply back, so it
holds no connection, and two small drivers run all of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from pydantic_core import from_json

from ..protocol import errors

T = TypeVar("T")

#: Seconds between two tries: doubled from the first to the last, with jitter.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class HttpRequest:
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
    #: What the server said, that has to be asked again; "" where nothing is wrong.
    because: str = ""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP answer, or the connection's failure."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    def json(self) -> Any:
        """The body as JSON. Raises WherryError when it is none."""
        try:
            return from_json(self.content)
        except ValueError:
            raise errors.WherryError(NO_WHERRY) from None


#: What a client says of an answer that it cannot read.
NO_WHERRY = "the answer cannot be read; is a Wherry server at this address?"

Step = HttpRequest | Pause
Flow = Generator[Step, HttpResponse, T]


def arguments(call: HttpRequest, timeout_s: float) -> dict[str, Any]:
    """A call as httpx takes it."""
    return {
        "method": call.method,
        "url": call.path,
        "content": call.content,
        "headers": dict(call.headers),
        "timeout": httpx.Timeout(timeout_s, read=timeout_s + call.held_s),
    }


def reply_of(response: httpx.Response) -> HttpResponse:
    """A driver's answer to a call."""
    return HttpResponse(response.status_code, response.content, response.headers)


def failed(error: httpx.RequestError) -> HttpResponse:
    """A driver's answer to a call that found no server."""
    return failed_at(str(error.request.url.copy_with(raw_path=b"/")).rstrip("/"), error)


def failed_at(where: str, error: Exception) -> HttpResponse:
    """The answer to a call that found no server at an address."""
    return HttpResponse(0, failure=f"at {where} ({str(error) or type(error).__name__})")


def ask(call: HttpRequest, *, patience_s: float, accept: int = 0) -> Flow[HttpResponse]:
    """Make a call; while the server is away or full, try again for some seconds.

    Every call of this client may be repeated: what makes a job carries a name. Raises the server's
    error, or Unavailable when none answered. `accept` is an error status to hand back instead.
    """
    pause_s, give_up_at = _FIRST_PAUSE_S, None
    while True:
        reply = yield call
        lasting = reply.status >= 400 and not (_transient(reply) and _may_pass(reply))
        if 0 < reply.status < 400 or (lasting and reply.status == accept):
            return reply
        # Patience begins with the first failure: a long poll that broke off late has all of it.
        now = time.monotonic()
        give_up_at = now + patience_s if give_up_at is None else give_up_at
        wait_s = _wait_s(reply, pause_s)
        if lasting or now + wait_s > give_up_at:
            raise error_of(reply)
        yield Pause(wait_s, error_of(reply).message)
        pause_s = min(pause_s * 2, _LAST_PAUSE_S)


def _wait_s(reply: HttpResponse, pause_s: float) -> float:
    """Seconds until the next try: never before the Retry-After. The jitter spreads clients."""
    named = reply.headers.get("retry-after", "")
    if named.isdecimal():
        return float(named) + random.uniform(0, pause_s)  # noqa: S311 # hides nothing
    return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 # hides nothing


def _transient(reply: HttpResponse) -> bool:
    # A 504 with a Location is the server's own and names a job; without, it is a proxy's.
    lost = reply.status == 504 and "location" not in reply.headers
    return lost or reply.status in (0, 429, 502, 503)


def _may_pass(reply: HttpResponse) -> bool:
    """Whether the server does not say that a retry is no use."""
    return reply.status != 503 or not isinstance(error_of(reply), errors.ModelFailed)


#: What a status means when its `error_type` says nothing to us, as the extension's section 6 asks.
_BY_STATUS: Mapping[int, type[errors.WherryError]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.JobGone,
    413: errors.PayloadTooLarge,
    429: errors.TenantLimit,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}


def error_of(reply: HttpResponse) -> errors.WherryError:
    """The error that a reply stands for."""
    if not reply.status:
        return errors.Unavailable(
            f"the server cannot be reached {reply.failure}; WHERRY_URL or url names another"
        )
    code, text = "", f"the server answered {reply.status}"
    try:
        body = from_json(reply.content)
        told = body["error"]
        if isinstance(told, dict):  # as OpenAI's paths say it
            code, text = str(told["code"]), str(told["message"])
        else:
            code, text = str(body.get("error_type", "")), str(told)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # a proxy's page, or a server of another kind
    if reply.status == 401:
        text += "; this client takes its key from WHERRY_API_KEY"
    known = errors.from_code(code, text)
    if known.code == code:
        return known
    usual = errors.InvalidRequest if reply.status < 500 else errors.WherryError
    return _BY_STATUS.get(reply.status, usual)(text)
