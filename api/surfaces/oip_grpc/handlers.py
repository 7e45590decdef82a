"""What stands before a call's own handler: another of the same kind, and how a call ended."""

from __future__ import annotations

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


def status_of(context: Context, missing: grpc.StatusCode) -> str:
    """How a call ended, by the name of its status; `missing` is for one that set none."""
    code: Any = context.code()
    if not code:  # 0 while none is set
        return str(missing.name)
    by_number = {status.value[0]: status.name for status in grpc.StatusCode}
    return str(getattr(code, "name", by_number.get(code, missing.name)))
