"""Errors on their way out by gRPC."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from ....protocol.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    JobExpired,
    JobGone,
    NotFound,
    PayloadTooLarge,
    RowError,
    TenantLimit,
    Unauthorized,
    Unavailable,
    WherryError,
)

log = logging.getLogger(__name__)

#: The nearest class in an error's ancestry decides.
_CODES: dict[type[WherryError], grpc.StatusCode] = {
    WherryError: grpc.StatusCode.INTERNAL,
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    PayloadTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RowError: grpc.StatusCode.INVALID_ARGUMENT,
    Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.ALREADY_EXISTS,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    TenantLimit: grpc.StatusCode.RESOURCE_EXHAUSTED,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    JobGone: grpc.StatusCode.CANCELLED,
    JobExpired: grpc.StatusCode.DEADLINE_EXCEEDED,
}

#: Characters of a message. It goes in a header, where clients take 8 KiB, and a character may
#: be twelve bytes there; gRPC writes those that headers have not by itself.
_LONGEST = 500

#: A grpc.aio.ServicerContext; grpc ships no types.
Context = Any


def code_of(error: WherryError) -> grpc.StatusCode:
    """The gRPC status of one of our errors."""
    return next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)


def guarded(call: Callable[[bytes], Awaitable[Any]]) -> Callable[[bytes, Context], Awaitable[Any]]:
    """Let a call's errors go out as gRPC's."""
    return guarded_within(lambda asked, _: call(asked))


def guarded_within(
    call: Callable[[bytes, Context], Awaitable[Any]],
) -> Callable[[bytes, Context], Awaitable[Any]]:
    """The same of a call that reads its context, or writes to it."""

    async def answer(asked: bytes, context: Context) -> Any:
        try:
            return await call(asked, context)
        except WherryError as error:
            await context.abort(code_of(error), error.message[:_LONGEST])
        except Exception:
            log.exception("a gRPC call failed")
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return answer
