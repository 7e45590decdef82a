"""Spans of what a client asks, in a program that traces itself with OpenTelemetry.

Nothing is imported and nothing begun in any other program: where OpenTelemetry was not imported, or
no provider is set, there is nobody to tell.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from .. import __version__
from .flow import Flow, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from ..telemetry.trace_context import TraceContext
    from ..telemetry.tracer import Attributes, Tracer, Value

T = TypeVar("T")

#: The provider that was asked last, which has no type without OpenTelemetry, and its tracer.
_known: tuple[Any, Tracer] | None = None


def program_tracer() -> Tracer | None:
    """The tracer of the program's own provider; None where it has none."""
    global _known  # a program has one provider
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    if _known is None or _known[0] is not provider:
        from ..telemetry.tracer import Tracer

        _known = provider, Tracer(provider.get_tracer("wherry.client", __version__))
    return _known[1]


@contextmanager
def operation(tracer: Tracer, flow: Flow[T], linked: Sequence[TraceContext] = ()) -> Iterator[None]:
    """A span for what a caller asks, named by its flow, which may take several requests."""
    from ..telemetry.tracer import failed

    name = getattr(flow, "__name__", "call")  # a generator's, of which its type says nothing
    links: list[tuple[TraceContext, Attributes]] = [(each, {}) for each in linked]
    span = tracer.begin(f"wherry {name}", "internal", links=links)
    try:
        with tracer.current(span):
            yield
    except Exception as error:
        failed(span, str(getattr(error, "code", type(error).__qualname__)), str(error))
        raise
    finally:
        span.end()


@contextmanager
def request(
    tracer: Tracer, url: str, call: HttpRequest, linked: Sequence[TraceContext] = ()
) -> Iterator[tuple[HttpRequest, Callable[[HttpResponse], HttpResponse]]]:
    """A span for one request. Gives the request as it is to be sent, and what hears the answer."""
    from ..telemetry.tracer import failed, injected

    links: list[tuple[TraceContext, Attributes]] = [(each, {}) for each in linked]
    span = tracer.begin(call.method, "client", _about(url, call), links=links)

    def hear(reply: HttpResponse) -> HttpResponse:
        if reply.status:
            span.set_attribute("http.response.status_code", reply.status)
        if not 0 < reply.status < 400:
            failed(span, str(reply.status or "no_answer"), reply.failure)
        return reply

    try:
        with tracer.current(span):
            yield replace(call, headers={**call.headers, **injected()}), hear
    except Exception as error:
        failed(span, type(error).__qualname__)
        raise
    finally:
        span.end()


def _about(url: str, call: HttpRequest) -> dict[str, Value]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2])  # without a password
    return {
        "http.request.method": call.method,
        "url.full": place.geturl().rstrip("/") + call.path,
        "server.address": host,
        "server.port": port,
    }
