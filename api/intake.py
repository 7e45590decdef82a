"""From a request to a job: the one way in, for every surface."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace

from ..jobs import AsyncQueue, Group, JobsSettings, NewJob
from ..jobs.group import DEFAULT_PRIORITY, digest
from ..jobs.record import Submission
from ..jobs.stores import Store
from ..jobs.submit import submit
from ..protocol import codec, v2
from ..protocol.errors import InvalidRequest, PayloadTooLarge
from ..tasks.catalog import Catalog, ModelDeclaration
from .ids import checked_id, uuid7
from .settings import ApiSettings

#: Parameters that are the server's, not the task's.
PRIORITY, TIMEOUT = "priority", "timeout"


@dataclass(frozen=True, slots=True)
class Intake:
    """Checks requests, makes jobs of them, and stores these."""

    catalog: Catalog
    queue: AsyncQueue
    store: Store
    jobs: JobsSettings
    settings: ApiSettings

    def prepare(
        self,
        request: v2.InferenceRequest,
        model: str,
        version: str | None = None,
        *,
        idempotency_key: str = "",
    ) -> NewJob:
        """Make a job. Raises ModelNotFound, InvalidRequest, PayloadTooLarge; stores nothing."""
        declared = self.catalog.get(model, version)
        task = declared.definition
        codec.check_inputs(
            request,
            [spec.metadata() for spec in task.inputs],
            [spec.metadata() for spec in task.outputs],
        )
        inputs = task.input.from_inference_request(request)
        rows = inputs.row_count
        if rows > self.settings.max_rows_per_job:
            raise PayloadTooLarge(
                f"{rows} rows; a request may have {self.settings.max_rows_per_job}: send several"
            )
        plain = inputs.to_inference_request()
        normal = plain.model_copy(
            update={
                "parameters": {**request.parameters, **plain.parameters},
                "outputs": request.outputs,
            }
        )
        # Without the id, so that the fingerprint tells bodies apart, not ids.
        payload, header_length = codec.encode_request(normal, binary=True)
        job_id = uuid7() if request.id is None else checked_id(request.id)
        return NewJob(
            id=job_id,
            task=task.name,
            group=self._group(declared, normal),
            payload=payload,
            header_length=header_length or len(payload),
            fingerprint=hashlib.blake2b(
                b"\0".join([declared.name.encode(), declared.version.encode(), payload]),
                digest_size=16,
            ).hexdigest(),
            rows=rows,
            start_by_ms=_start_by_ms(request),
            idempotency_key=idempotency_key,
        )

    def _group(self, declared: ModelDeclaration, request: v2.InferenceRequest) -> Group:
        apart = {
            name: request.parameters[name]
            for name in declared.definition.group_by
            if name in request.parameters
        }
        return Group(
            declared.family,
            declared.name,
            declared.version,
            priority=_priority(request),
            digest=digest(apart),
        )

    async def store_job(self, job: NewJob) -> Submission:
        """Store a job and wake its workers. Raises what submit raises."""
        if len(job.payload) > self.jobs.inline_max_bytes:
            key = f"payload/{job.id}/{job.fingerprint}"
            ref = await asyncio.to_thread(self.store.put, key, job.payload)
            job = replace(job, payload_ref=ref)
        return await self.queue.run(submit(job, self.jobs))


def _priority(request: v2.InferenceRequest) -> int:
    given = request.parameters.get(PRIORITY, 0)
    if type(given) is not int or not 0 <= given <= 9:
        raise InvalidRequest("parameter priority: 1 (highest) to 9, or 0 for the default")
    return given or DEFAULT_PRIORITY


def _start_by_ms(request: v2.InferenceRequest) -> int:
    given = request.parameters.get(TIMEOUT, 0)
    if type(given) is not int or not 0 <= given <= 10**15:
        raise InvalidRequest("parameter timeout: microseconds until the job must have started")
    return int(time.time() * 1000 + given / 1000) if given else 0
