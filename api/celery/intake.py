"""From a message on Celery's queue to a stored job, or to what Celery is told instead."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial

from ...jobs.celery_tasks import TaskMessage, is_revoked, name_job
from ...jobs.recover import cancel
from ...protocol.errors import InvalidRequest, JobCanceled, JobExpired, JobGone, WherryError
from ..access.book import KeyBook
from ..access.caller import Caller, Scope, acting
from ..core.service import Service
from ..http.body import OFF_LOOP_BYTES, off_loop
from .messages import NoMessage, TaskBody, TaskCall, context_of, read_body, read_message
from .requests import read_job
from .task_span import receiving
from .telling import Teller

log = logging.getLogger(__name__)

#: Seconds after which a task that could not be taken for now is looked at again, at least.
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class TaskIntake:
    """Makes jobs of messages. Each may come twice: a task's id is its job's."""

    service: Service
    keys: KeyBook
    teller: Teller

    async def take(self, message: TaskMessage) -> float | None:
        """Do what a message asks. Answers the seconds after which it is due again; None: never.

        What Celery could not be told raises.
        """
        large = len(message.body) >= OFF_LOOP_BYTES
        try:
            call = await off_loop(partial(read_message, message.body), large=large)
        except NoMessage as error:
            log.warning("what is no task was dropped: %s", error)
            return None
        left_s = call.eta_s - time.time()
        if left_s > 0:
            return left_s
        try:
            body = await off_loop(
                partial(read_body, call, self.service.settings.max_body_bytes), large=large
            )
        except WherryError as error:
            await self.teller.failed(context_of(call, {}), error)
            return None
        with receiving(call):
            return await self._take(call, body)

    async def _take(self, call: TaskCall, body: TaskBody) -> float | None:
        try:
            context = context_of(call, body.following)
        except InvalidRequest as error:
            await self.teller.failed(context_of(call, {}), error)
            return None
        fault: WherryError | None = None
        try:
            if 0 < call.expires_s <= time.time():
                raise JobExpired("expired")  # told as a job's own end is
            who = self.keys.caller(call.api_key)
            who.require(Scope.SUBMIT)
            with acting(who):
                if not await self._store(call, body, who):
                    fault = JobCanceled("revoked")
        except WherryError as error:
            if error.retryable:
                return max(_AGAIN_S, getattr(error, "retry_after_s", 0))
            fault = error
        if isinstance(fault, JobGone):
            await self.teller.revoked(context, fault.message)
        elif fault is not None:
            await self.teller.failed(context, fault)
        return None

    async def _store(self, call: TaskCall, body: TaskBody, who: Caller) -> bool:
        """Store a task's job. False where it was revoked before."""
        service, job_id = self.service, who.stored(call.id)
        if not await service.queue.run(name_job(call.id, job_id, service.jobs)):
            return False
        try:
            prepared = await read_job(call, body, service.intake, who)
        except WherryError:
            raise
        except Exception as error:  # of a form that nobody thought of: it will be so the next time
            log.exception("a Celery task could not be read")
            raise InvalidRequest(f"the arguments raised {type(error).__name__}") from None
        await service.submitter.store(prepared)
        if await service.queue.run(is_revoked(call.id, service.jobs)):  # meanwhile
            await service.queue.run(cancel(job_id, service.jobs))
        return True
