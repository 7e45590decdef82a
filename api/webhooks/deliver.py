"""Who delivers webhooks: every API process takes some that are due, each by a lease of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter

import httpx

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.read import read
from ...jobs.runs import get_run
from ...jobs.webhooks import Delivery, Settled, settle_webhook, take_webhooks
from ...protocol.errors import WherryError
from ...tasks.egress.guard import OutboundGuard
from ...telemetry.api_metrics import webhook_tried
from ..egress.signing import signing_keys
from ..settings import ApiSettings
from .attempt import DeliveryResult, body_of, pause_s, run_body, send

log = logging.getLogger(__name__)

#: Seconds between two looks for webhooks that are due.
_LOOK_S = 0.5

#: A lease lasts for so many times of what a receiver may take.
_LEASE = 2.0


class Deliverer:
    """Delivers webhooks, some at a time; a receiver that fails has a quarter of the places."""

    def __init__(
        self, queue: AsyncQueue, jobs: JobsSettings, settings: ApiSettings, guard: OutboundGuard
    ) -> None:
        self._queue, self._jobs, self._settings, self._guard = queue, jobs, settings, guard
        self._runs: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        #: Receivers whose last answer was none, or no good one.
        self._failing: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for webhooks."""
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Leave what is not delivered to others."""
        tasks = [*self._runs, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            free = self._settings.webhooks_at_once - len(self._runs)
            taken = await self._take(free) if free else []
            for delivery in taken:
                task = asyncio.create_task(self._run(delivery))
                self._runs.add(task)
                task.add_done_callback(self._runs.discard)
            if free and len(taken) == free:
                await asyncio.wait(self._runs, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(_LOOK_S)

    async def _take(self, count: int) -> list[Delivery]:
        lease_s = self._settings.webhook_timeout_s * _LEASE
        try:
            return await self._queue.run(take_webhooks(count, lease_s, self._jobs))
        except WherryError as error:
            log.warning("webhooks wait: %s", error.message)
        except Exception:
            log.exception("webhooks wait")  # one look fails, the next may not
        return []

    async def _run(self, delivery: Delivery) -> None:
        host = httpx.URL(delivery.url).netloc.decode("ascii", "replace")
        share = max(1, self._settings.webhooks_at_once // 4)
        if host in self._failing and self._busy[host] >= share:
            await self._settle(delivery, Settled.BACK, due_in_s=self._settings.webhook_timeout_s)
            return
        self._busy[host] += 1
        try:
            if await self._deliver(delivery):
                self._failing.discard(host)
            else:
                self._failing.add(host)
        except asyncio.CancelledError:
            await self._settle(delivery, Settled.BACK)
            raise
        except Exception:
            # The lease runs out, then it is tried again.
            log.exception("the webhook of job %s broke off", delivery.job_id)
        finally:
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]

    async def _deliver(self, delivery: Delivery) -> bool:
        """Try once. Answers whether all is well with the receiver."""
        if not delivery.body:
            body = await self._body(delivery)
            if not body:
                await self._settle(delivery, Settled.LOST)
                return True
            delivery = delivery._replace(body=body)
        keys = signing_keys(self._settings, delivery.group.tenant)
        answer = await send(self._guard, delivery, keys, self._settings.webhook_timeout_s)
        if not answer.error:
            await self._settle(delivery, Settled.DELIVERED)
            return True
        await self._failed(delivery, answer)
        return False

    async def _body(self, delivery: Delivery) -> bytes:
        """What is to be sent; b"" where there is nothing to tell any more."""
        if delivery.run_id:
            run = await self._queue.run(get_run(delivery.run_id, self._jobs))
            is_same = run is not None and run.progress.ended_at_ms == delivery.finished_at_ms
            return run_body(run, self._settings.public_url) if run and is_same else b""
        [record] = await self._queue.run(read([delivery.job_id], self._jobs))
        if record is None or record.finished_at_ms != delivery.finished_at_ms:
            return b""
        return body_of(record, self._settings.public_url)

    async def _failed(self, delivery: Delivery, answer: DeliveryResult) -> None:
        pause = pause_s(answer, delivery.tries, self._settings.webhook_first_pause_s)
        late = time.time() + pause > delivery.since_ms / 1000 + self._settings.webhook_retry_s
        how = Settled.FAILED if answer.gone or late else Settled.AGAIN
        await self._settle(delivery, how, due_in_s=pause, error=answer.error)
        if how is Settled.FAILED:
            log.warning(
                "the webhook of job %s is given up after %d tries: %s",
                delivery.job_id,
                delivery.tries + 1,
                answer.error,
            )

    async def _settle(
        self, delivery: Delivery, how: Settled, *, due_in_s: float = 0.0, error: str = ""
    ) -> None:
        webhook_tried(how.value)
        with contextlib.suppress(WherryError):  # Redis is away: the lease runs out
            await self._queue.run(
                settle_webhook(
                    delivery.name,
                    how,
                    self._jobs,
                    due_in_s=due_in_s,
                    error=error,
                    body=delivery.body,
                    keep_s=self._settings.webhook_keep_s,
                )
            )
