"""Stores jobs and wakes their workers: the last step of the way in, for every surface."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ...jobs import AsyncQueue, JobsSettings, NewJob
from ...jobs.call import Call
from ...jobs.fleet_queue import FleetQueue
from ...jobs.orphans import payload_key, references
from ...jobs.record import Submission
from ...jobs.stores import Store
from ...jobs.submit import OtherBody, submit
from ...protocol.errors import (
    Conflict,
    ModelNotReady,
    PayloadTooLarge,
    QueueFull,
    TenantLimit,
    WherryError,
)
from ...telemetry import traces
from ..egress.outbound import Outbound
from ..http.ids import shown_id
from .client_names import known_elsewhere
from .fingerprint import fingerprint, is_earlier
from .fleet_store import Presence
from .new_job import PreparedJob
from .store_threads import in_store
from .submit_span import submitted

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Stores prepared jobs: small payloads in Redis, large ones in the store."""

    queue: AsyncQueue
    blobs: Store
    settings: JobsSettings
    outbound: Outbound
    presence: Presence

    async def store(
        self, prepared: PreparedJob, *, reply_to: str = "", brief_s: int = 0
    ) -> Submission:
        """Store a job and wake its workers. Raises what submit raises; Unavailable where who else
        is here could not read it.

        One that nobody else can name is kept for `brief_s` after its end, where that is said; but
        as long as any other where a webhook is to tell of it.
        """
        self.presence.check()
        if not prepared.fresh or prepared.job.webhook:
            brief_s = 0
        if (tracer := traces.tracer()) is None:
            return await self._store(prepared.job, reply_to, brief_s)
        store = partial(self._store, reply_to=reply_to, brief_s=brief_s)
        return await submitted(tracer, prepared.job, store)

    async def _store(self, job: NewJob, reply_to: str, brief_s: int) -> Submission:
        if job.webhook:
            await self.outbound.check_webhook(job.webhook)
        if len(job.payload) <= self.settings.inline_max_bytes:
            return await self._submit(job, reply_to, brief_s)
        ref = await in_store(self.blobs.put, payload_key(job.id, job.fingerprint), job.payload)
        try:
            submission = await self._submit(replace(job, payload_ref=ref), reply_to, brief_s)
        except (Conflict, QueueFull, TenantLimit, ModelNotReady, PayloadTooLarge):
            await in_store(self._forget, ref)
            raise
        if not submission.created:
            await self._forget_unless_used(ref, submission.id)
        return submission

    async def _submit(self, job: NewJob, reply_to: str, brief_s: int) -> Submission:
        plain = self.presence.wants_plain
        step = partial(submit, reply_to=reply_to, brief_s=brief_s, plain=plain)
        try:
            return await self._told_by_its_own_hash(job, step)
        except Conflict as error:
            raise Conflict(error.message.replace(job.id, shown_id(job.id))) from None

    async def _told_by_its_own_hash(
        self, job: NewJob, step: Callable[[NewJob, JobsSettings], Call[Submission]]
    ) -> Submission:
        """Submit; a known job is compared once more where it has another kind of fingerprint."""
        try:
            return await self._run(job, step)
        except OtherBody as other:
            earlier = is_earlier(other.fingerprint)
            if earlier == is_earlier(job.fingerprint):
                raise
            group = job.group
            same = fingerprint(group.model, group.version, job.payload, earlier=earlier)
            return await self._run(replace(job, fingerprint=same), step)

    async def _run(
        self, job: NewJob, step: Callable[[NewJob, JobsSettings], Call[Submission]]
    ) -> Submission:
        """Submit, unless a name of the job's stands for one on another Redis.

        Raises OtherBody, and Conflict where the name was given for another Redis just now.
        """
        if job.named and isinstance(self.queue, FleetQueue):
            elsewhere = await known_elsewhere(self.queue, job, self.settings)
            if elsewhere is not None:
                return elsewhere
        return await self.queue.run(step(job, self.settings))

    async def _forget_unless_used(self, ref: str, job_id: str) -> None:
        """Remove a second payload of a known job; it may be the first, if only its reply was lost.

        Whatever cannot be asked or removed now is left to the sweeper.
        """
        with contextlib.suppress(WherryError):
            job = await self.queue.run(references(job_id, self.settings))
            if job is None or job.payload_ref != ref:
                await in_store(self._forget, ref)

    def _forget(self, ref: str) -> None:
        try:
            self.blobs.delete(ref)
        except WherryError as error:
            log.warning("blob %s stays behind: %s", ref, error.message)
