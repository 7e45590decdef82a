"""A job's end as Celery's users read it."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any

from kombu.utils import json
from pydantic_core import from_json

from ...jobs import AsyncQueue
from ...jobs.celery_tasks import forget_name, read_context
from ...jobs.read import read
from ...jobs.record import JobRecord, StoredResult
from ...jobs.webhooks import Delivery, Outbox, Settled, settle_webhook
from ...protocol import codec
from ...protocol.errors import JobCanceled, JobExpired, ModelNotFound, PayloadTooLarge, WherryError
from ...tasks.base import Task
from ...tasks.registry import get_task
from ..access.caller import Caller, acting
from ..core.service import Service, outcome_error
from ..core.views import job_view
from ..http.ids import job_path
from .requests import ANSWER, AnswerForm
from .task_span import telling
from .telling import Teller

log = logging.getLogger(__name__)

#: Seconds between two tries to tell Celery of an end, at most.
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Ends:
    """Tells Celery of the ends of jobs that are its tasks. Each may be told twice."""

    service: Service
    teller: Teller

    async def tell(self, end: Delivery, queue: AsyncQueue) -> None:
        """Tell of an end, and write down how that went, where it came from."""
        try:
            with telling(end.trace):
                how = await self._tell(end)
        except Exception as error:  # whatever a backend or a broker raises
            await self._again(end, queue, error)
        else:
            await self._settle(end, queue, how)

    async def _tell(self, end: Delivery) -> Settled:
        service = self.service
        [record] = await service.queue.run(read([end.job_id], service.jobs))
        context = await service.queue.run(read_context(end.job_id, service.jobs))
        if not context or record is None or record.finished_at_ms != end.finished_at_ms:
            return Settled.LOST
        with acting(Caller(record.group.tenant, frozenset())):
            await self._tell_of(record, context.decode())
        task_id = json.loads(context)["id"]
        await service.queue.run(forget_name(task_id, service.jobs))
        return Settled.DELIVERED

    async def _tell_of(self, record: JobRecord, context: str) -> None:
        match outcome_error(record):
            case None:
                await self._tell_answer(record, context)
            case JobCanceled():
                await self.teller.revoked(context, "revoked")
            case JobExpired():
                await self.teller.revoked(context, "expired")
            case error:
                await self.teller.failed(context, error)

    async def _tell_answer(self, record: JobRecord, context: str) -> None:
        form = AnswerForm(json.loads(context)[ANSWER])
        if form is AnswerForm.JOB:
            view = job_view(record)
            await self.teller.succeeded(context, lambda: view)
            return
        try:
            stored = await self.service.response(record.id)
            if len(stored.body) > (most := self.service.settings.celery_max_result_bytes):
                raise PayloadTooLarge(
                    f"the answer has {len(stored.body)} bytes, and {most} go into a Celery result: "
                    f"it lies at {job_path(record.id)}/result; or ask with answer='job'"
                )
        except WherryError as error:
            if error.retryable:
                raise
            await self.teller.failed(context, error)
            return
        task = self._task_of(record)
        await self.teller.succeeded(context, lambda: _written(stored, form, task))

    def _task_of(self, record: JobRecord) -> Task:
        try:
            group = record.group
            return self.service.catalog.get(group.model, group.version).definition
        except ModelNotFound:  # declared no more
            return get_task(record.task)

    async def _again(self, end: Delivery, queue: AsyncQueue, error: Exception) -> None:
        settings, tried_s = self.service.settings, time.time() - end.since_ms / 1000
        pause_s = min(_LONGEST_PAUSE_S, settings.webhook_first_pause_s * 2.0 ** min(end.tries, 16))
        given_up = tried_s + pause_s > settings.webhook_retry_s
        log.warning(
            "Celery is not told of the end of job %s%s: %s: %s",
            end.job_id,
            ", ever" if given_up else " yet",
            type(error).__name__,
            error,
        )
        how = Settled.FAILED if given_up else Settled.AGAIN
        await self._settle(end, queue, how, due_in_s=pause_s, error=type(error).__name__)

    async def _settle(
        self,
        end: Delivery,
        queue: AsyncQueue,
        how: Settled,
        *,
        due_in_s: float = 0.0,
        error: str = "",
    ) -> None:
        with contextlib.suppress(WherryError):  # Redis is away: the lease runs out
            await queue.run(
                settle_webhook(
                    end.name,
                    how,
                    self.service.jobs,
                    due_in_s=due_in_s,
                    error=error,
                    keep_s=self.service.settings.webhook_keep_s,
                    outbox=Outbox.CELERY,
                )
            )


def _written(stored: StoredResult, form: AnswerForm, task: Task) -> Any:  # JSON, and bytes
    """An answer; files are bytes, which kombu's JSON carries."""
    response = codec.decode_response(stored.body, stored.header_length)
    if form is AnswerForm.RESPONSE:
        return from_json(codec.encode_response(response, binary=False)[0])
    output = task.output.of(response)
    warning = {"warning": output.warning} if output.warning else {}
    return {**output.model_dump(), **warning}
