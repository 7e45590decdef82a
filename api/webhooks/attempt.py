"""One try at a webhook: what is sent, and what the answer means."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from pydantic_core import to_json

from ...jobs.record import JobRecord
from ...jobs.run_records import Run
from ...jobs.webhooks import Delivery
from ...protocol.webhooks import ID, SIGNATURE, TIMESTAMP, signature
from ...tasks.egress.allowed import OutboundError
from ...tasks.egress.guard import OutboundGuard
from ...telemetry import traces
from ..access.caller import Caller, acting
from ..core.views import job_view, timestamp
from .delivery_span import traced

#: Seconds that tries are apart at most, unless the receiver asks for more.
_LONGEST_PAUSE_S = 3600.0


class DeliveryResult(NamedTuple):
    """What came of a try: no error when it was delivered."""

    error: str = ""
    #: The receiver wants no more of these (410).
    gone: bool = False
    retry_after_s: float = 0.0
    #: The receiver's; 0 where it did not answer.
    status: int = 0


def message_id(name: str) -> str:
    """The webhook's id on the wire: the same at every try, without full stops or odd letters."""
    return f"msg_{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"


def body_of(record: JobRecord, public_url: str) -> bytes:
    """What a receiver is told of a job's end, in its tenant's words. The result stays with us."""
    with acting(Caller(record.group.tenant, frozenset())):
        view: dict[str, Any] = job_view(record)
    root = public_url.rstrip("/")
    links = {name: root + path for name, path in view.items() if name.endswith("_url")}
    return to_json(
        {
            "type": f"job.{record.status.value}",
            "timestamp": timestamp(record.finished_at_ms),
            "data": {**view, **links},
        }
    )


def run_body(run: Run, public_url: str) -> bytes:
    """What a receiver is told of a run's end. Its output stays with us."""
    progress, path = run.progress, f"/v2/runs/{run.spec.id}"
    return to_json(
        {
            "type": f"run.{run.state.value}",
            "timestamp": timestamp(progress.ended_at_ms or 0),
            "data": {
                "id": run.spec.id,
                "name": run.spec.name,
                "state": run.state.value,
                "error": progress.error,
                "model": run.spec.model,
                "rows": {
                    "total": progress.rows_total,
                    "answered": progress.done,
                    "failed": progress.failed,
                },
                "device_seconds": progress.device_seconds,
                "metadata": run.spec.metadata,
                "run_url": public_url.rstrip("/") + path,
            },
        }
    )


async def send(
    guard: OutboundGuard, delivery: Delivery, keys: Sequence[bytes], seconds: float
) -> DeliveryResult:
    """Post a webhook, signed. Redirects are not followed: the URL is the one that was checked."""
    sent_at, name = int(time.time()), message_id(delivery.name)
    headers = {
        "Content-Type": "application/json",
        ID: name,
        TIMESTAMP: str(sent_at),
        SIGNATURE: signature(keys, name, sent_at, delivery.body),
    }
    if (tracer := traces.tracer()) is None:
        return await _posted(guard, delivery, headers, seconds)
    post = partial(_posted, guard, delivery, headers, seconds)
    return await traced(tracer, delivery, headers, post)


async def _posted(
    guard: OutboundGuard, delivery: Delivery, headers: Mapping[str, str], seconds: float
) -> DeliveryResult:
    try:
        async with (
            asyncio.timeout(seconds),
            guard.request("POST", delivery.url, headers=headers, content=delivery.body) as response,
        ):
            answer = judged(response.status_code, response.headers, time.time())
            return answer._replace(status=response.status_code)
    except TimeoutError:
        return DeliveryResult(f"no answer in {seconds:g} s")
    except OutboundError as error:
        return DeliveryResult(str(error))


def judged(status: int, headers: Mapping[str, str], now_s: float) -> DeliveryResult:
    """What a receiver's answer means; its body means nothing."""
    if 200 <= status < 300:
        return DeliveryResult()
    return DeliveryResult(f"answered {status}", status == 410, _retry_after(headers, now_s))


def _retry_after(headers: Mapping[str, str], now_s: float) -> float:
    """Seconds that a receiver asks us to wait; 0 where it does not, or not clearly."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - now_s)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def pause_s(
    answer: DeliveryResult, tries: int, first_s: float, fraction: float | None = None
) -> float:
    """Seconds before the next try, after `tries` that failed before this one.

    Doubled each time, less a random part of up to a half, so that receivers which come back are not
    run over; never before the receiver's own Retry-After.
    """
    part = random.random() if fraction is None else fraction  # noqa: S311 # hides nothing
    pause = min(_LONGEST_PAUSE_S, first_s * 2.0 ** min(tries, 30))
    return max(answer.retry_after_s, pause * (1 - part / 2))
