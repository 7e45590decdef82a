"""What stands before a call's own handler: another of the same kind, and how a call ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from .errors import Context

#: A grpc.RpcMethodHandler, which ships no types; and what answers a call.
Handler = Any
Answers = Callable[[Any, Context], Awaitable[Any]]


def kind_of(handler: Handler) -> tuple[Callable[..., Handler], Answers]:
    """What makes a handler of this one's kind, and what answers its calls.

    All of ours write their answers themselves or return the one: none is a generator.
    """
    if handler.request_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary


def around(handler: Handler, wrap: Callable[[Answers], Answers]) -> Handler:
    """The same handler, but for what answers."""
    make, answers = kind_of(handler)
    return make(wrap(answers), handler.request_deserializer, handler.response_serializer)


def status_of(context: Context, error: BaseException | None) -> str:
    """How a call ended, by the name of its status; `error` is what its handler raised, if it did.

    A status that was set comes first: whoever aborts a call sets it, then raises.
    """
    code: Any = context.code()
    if code:  # 0 while none is set
        by_number = {status.value[0]: status.name for status in grpc.StatusCode}
        return str(getattr(code, "name", by_number.get(code, grpc.StatusCode.UNKNOWN.name)))
    if error is None:
        return str(grpc.StatusCode.OK.name)
    is_left = isinstance(error, asyncio.CancelledError)
    return str((grpc.StatusCode.CANCELLED if is_left else grpc.StatusCode.UNKNOWN).name)
