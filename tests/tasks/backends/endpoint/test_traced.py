"""A remote model's server goes on with the trace of the batch that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from wherry.tasks.backends.endpoint.http import Http
from wherry.tasks.backends.endpoint.loop import submit
from wherry.tasks.egress.allowed import Allowed
from wherry.tasks.egress.guard import OutboundGuard
from wherry.telemetry import traces
from wherry.telemetry.tracer import Tracer, trace_context


async def anywhere(host: str, port: int) -> Sequence[str]:
    return ["93.184.216.34"]


async def posted() -> httpx.Headers:
    """The headers that a server gets."""
    heard: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request.headers)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    guard = OutboundGuard(
        Allowed.of("https", "host", setting="WHERRY_ENDPOINT"),
        resolve=anywhere,
        transport=httpx.MockTransport(answer),
    )
    await Http("https://host/v1", {}, guard, 5.0).post("/x", b"{}", {})
    return heard[0]


def test_its_requests_carry_the_batchs_trace_over_to_the_endpoints_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracer = Tracer(TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    monkeypatch.setattr(traces, "_tracer", tracer)
    span = tracer.begin("batch", "consumer")
    with tracer.current(span):  # the worker's thread, not the loop's
        headers = submit(posted()).result()
    assert headers["traceparent"] == trace_context(span).traceparent
    assert "traceparent" not in submit(posted()).result()


def test_without_tracing_there_is_nothing_to_carry() -> None:
    assert "traceparent" not in asyncio.run(posted())
