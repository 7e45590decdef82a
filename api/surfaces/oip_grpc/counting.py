"""Counts calls by method and by the status that each ended with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ....telemetry.api_metrics import UNMATCHED, grpc_called
from .errors import Context

#: A grpc.RpcMethodHandler, which ships no types; and how a call is answered.
_Handler = Any
_Call = Callable[[Any, Context], Awaitable[Any]]


class CountingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Stands before all others, so that refused calls count too."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Answer with the call's own handler, which is counted when it has ended."""
        handler = await continuation(handler_call_details)
        if handler is None:
            grpc_called(UNMATCHED, grpc.StatusCode.UNIMPLEMENTED.name)
            return None
        method = handler_call_details.method.rpartition("/")[2]
        # All of ours write their answers themselves or return the one: none is a generator.
        if handler.request_streaming:
            made, call = grpc.stream_stream_rpc_method_handler, handler.stream_stream
        else:
            made, call = grpc.unary_unary_rpc_method_handler, handler.unary_unary
        counted = _counted(method, call)
        return made(counted, handler.request_deserializer, handler.response_serializer)


def _counted(method: str, call: _Call) -> _Call:
    async def counted(request: Any, context: Context) -> Any:
        missing = grpc.StatusCode.UNKNOWN
        try:
            answer = await call(request, context)
            missing = grpc.StatusCode.OK
        finally:
            grpc_called(method, _status(context.code(), missing))
        return answer

    return counted


def _status(code: Any, missing: grpc.StatusCode) -> str:
    """A status by its name: as the handler set it, or what stands for none."""
    if not code:  # 0 while none is set
        return str(missing.name)
    by_number = {status.value[0]: status.name for status in grpc.StatusCode}
    return str(getattr(code, "name", by_number.get(code, missing.name)))
