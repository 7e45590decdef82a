"""The job that a request becomes once it is written down."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ...jobs import Group, NewJob
from ...jobs.group import digest
from ...protocol import v2
from ...tasks.catalog import ModelDeclaration
from ..http.ids import checked_id, uuid7
from . import server_parameters
from .envelope import Envelope
from .fingerprint import fingerprint
from .plain_texts import Written


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A request that can be stored: what the client asked, less its tensors, and the job."""

    request: v2.InferenceRequest
    job: NewJob
    #: Whether the id is the server's: nobody else can be storing the same job.
    fresh: bool


def new_job(
    declared: ModelDeclaration,
    request: v2.InferenceRequest,
    written: Written,
    envelope: Envelope,
    *,
    webhook: str,
    mixed: bool,
    earlier_hash: bool,
    use_id: bool,
) -> PreparedJob:
    """Make a job of a written request. Raises InvalidRequest.

    `mixed` is whether jobs of other parameters may share its batch; `earlier_hash` is for APIs of
    the version before; `use_id` takes the request's id for the job's.
    """
    task, who, payload = declared.definition, envelope.caller, written.payload
    given = request.id if use_id else None
    job = NewJob(
        id=who.stored(uuid7() if given is None else checked_id(given)),
        task=task.name,
        group=_group(
            task.family,
            declared.name,
            declared.version,
            who.tenant,
            server_parameters.priority(request),
            digest(task.apart(written.parameters, mixed=mixed)),
            mixed,
        ),
        payload=payload,
        header_length=written.header_length,
        fingerprint=fingerprint(declared.name, declared.version, payload, earlier=earlier_hash),
        rows=written.rows,
        start_by_ms=server_parameters.start_by_ms(request),
        execution_timeout_ms=server_parameters.execution_timeout_ms(request),
        idempotency_key=envelope.idempotency_key,
        named=given is not None or bool(envelope.idempotency_key),
        webhook=webhook,
        weight=who.weight,
        limits=who.limits,
    )
    return PreparedJob(request, job, fresh=not job.named)


@functools.lru_cache(maxsize=4096)  # asked for every request, of as many groups as have jobs
def _group(
    family: str,
    model: str,
    version: str,
    tenant: str,
    priority: int,
    parameters: str,
    mixed: bool,  # a cache tells names apart from places
) -> Group:
    return Group(
        family,
        model,
        version,
        tenant=tenant,
        priority=priority,
        digest=parameters,
        mixed=mixed,
    )
