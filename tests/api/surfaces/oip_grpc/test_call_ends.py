"""How a traced and counted call is said to have ended, whatever its handler did."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wherry.api.surfaces.oip_grpc.call_span import TracingInterceptor
from wherry.api.surfaces.oip_grpc.counting import CountingInterceptor
from wherry.telemetry.api_metrics import REGISTRY
from wherry.telemetry.tracer import Tracer


async def _answer(request: bytes, context: Any, began: asyncio.Event) -> bytes:
    began.set()
    if request == b"unnamed":
        raise ValueError("nobody named this")
    if request == b"named":
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    if request == b"left":
        await asyncio.Event().wait()
    return request


async def _ask(request: bytes, tracer: Tracer) -> None:
    """One call to a server with both interceptors; a long one is left by its caller."""
    server = grpc.aio.server(interceptors=[CountingInterceptor(), TracingInterceptor(tracer)])
    began = asyncio.Event()
    handlers = {"Do": grpc.unary_unary_rpc_method_handler(partial(_answer, began=began))}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("ends.Ends", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/ends.Ends/Do")(request, timeout=60)
        answer = asyncio.ensure_future(_settled(call))
        await began.wait()
        if request == b"left":
            call.cancel()
        await answer
    await server.stop(grace=30)


async def _settled(call: Any) -> None:
    with suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
        await call


def _counted(code: str) -> float:
    labels = {"method": "Do", "status": code}
    return REGISTRY.get_sample_value("wherry_grpc_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("request_", "code", "error_type"),
    [
        (b"fine", "OK", None),
        (b"named", "NOT_FOUND", None),
        (b"unnamed", "UNKNOWN", "ValueError"),
        (b"left", "CANCELLED", None),
    ],
)
def test_a_calls_span_and_count_say_how_it_ended(
    request_: bytes, code: str, error_type: str | None
) -> None:
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    before = _counted(code)
    asyncio.run(_ask(request_, Tracer(provider.get_tracer("test"))))
    [span] = spans.get_finished_spans()
    told = span.attributes or {}
    assert told["rpc.response.status_code"] == code
    assert told.get("error.type") == error_type
    assert _counted(code) == before + 1
