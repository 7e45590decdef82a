"""A span for each gRPC call, after OpenTelemetry's conventions for RPC servers.

See https://opentelemetry.io/docs/specs/semconv/rpc/grpc/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ....telemetry.tracer import Tracer, extracted, failed
from .errors import Context
from .handlers import Answers, Handler, around, status_of

#: What watches a server, and asks all the time.
_UNTRACED = {"ServerLive", "ServerReady", "ModelReady"}

#: Ends that are the server's fault, not the caller's.
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class TracingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Begins a span a call; what the call does belongs to it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Answer with a handler that is traced."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.removeprefix("/")
        if handler is None or method.rpartition("/")[2] in _UNTRACED:
            return handler
        told = handler_call_details.invocation_metadata or ()
        metadata = {name: value for name, value in told if isinstance(value, str)}
        return around(handler, lambda answers: _traced(answers, self._tracer, method, metadata))


def _traced(answers: Answers, tracer: Tracer, method: str, metadata: dict[str, str]) -> Answers:
    async def traced(request: Any, context: Context) -> Any:
        carried = {name: value for name, value in metadata.items() if name in tracer.fields}
        if (passed := tracer.unrecorded(carried)) is not None:
            with tracer.current(passed):
                return await answers(request, context)
        about = {"rpc.system.name": "grpc", "rpc.method": method}
        span = tracer.begin(method, "server", about, within=extracted(metadata))
        raised: BaseException | None = None
        try:
            with tracer.current(span):
                return await answers(request, context)
        except BaseException as error:
            raised = error
            raise
        finally:
            code = status_of(context, raised)
            span.set_attribute("rpc.response.status_code", code)
            if code in _FAULTS:
                is_unnamed = raised is not None and not context.code()
                failed(span, type(raised).__qualname__ if is_unnamed else code)
            span.end()

    return traced
