"""The span of one try at a webhook, which the receiver goes on with.

Its URL is not told: what stands in a webhook's path is often a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from ...jobs.webhooks import Delivery
from ...telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from ...telemetry.tracer import Tracer, Value


class _Answer(Protocol):
    @property
    def error(self) -> str: ...
    @property
    def status(self) -> int: ...


A = TypeVar("A", bound=_Answer)


async def traced(
    tracer: Tracer,
    delivery: Delivery,
    headers: MutableMapping[str, str],
    post: Callable[[], Awaitable[A]],
) -> A:
    """Post with headers that carry the job's trace on, recorded or not."""
    from ...telemetry.tracer import context_of, failed, injected

    trace = TraceContext.read(delivery.trace)
    if trace is None:
        return await post()
    if not trace.sampled:
        headers.update(trace.headers())
        return await post()
    span = tracer.begin("POST webhook", "client", _about(delivery), within=context_of(trace))
    headers.update(injected(span))
    try:
        answer = await post()
        if answer.status:
            span.set_attribute("http.response.status_code", answer.status)
        if answer.error:
            failed(span, str(answer.status or "no_answer"), answer.error)
    finally:
        span.end()
    return answer


def _about(delivery: Delivery) -> dict[str, Value]:
    url = urlsplit(delivery.url)
    told: dict[str, Value] = {
        "http.request.method": "POST",
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
        "url.scheme": url.scheme,
        "wherry.run.id" if delivery.run_id else "messaging.message.id": (
            delivery.run_id or delivery.job_id
        ),
    }
    return {**told, "http.request.resend_count": delivery.tries} if delivery.tries else told
