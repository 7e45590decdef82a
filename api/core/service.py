"""What the routes share: settings, connections, and the questions they all ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from fastapi import Request

from ...jobs import AsyncQueue, JobRecord, JobsSettings
from ...jobs.fleet import FIRST_GROUPS, FleetView, groups, view
from ...jobs.fleet_queue import on_each
from ...jobs.fleet_views import GroupView
from ...jobs.reach import answers_of_present
from ...jobs.read import read, request, result
from ...jobs.record import StoredRequest, StoredResult
from ...protocol.errors import (
    JobCanceled,
    JobExpired,
    JobNotFound,
    NotFound,
    Unavailable,
    WherryError,
    from_code,
)
from ...protocol.states import JobState
from ...tasks.catalog import Catalog, ModelDeclaration
from ..access.caller import caller
from ..http.draining import draining
from ..http.ids import shown_id
from ..settings import ApiSettings
from .demand import DemandLooks
from .fleet_store import FleetStore
from .intake import Intake
from .live_models import LiveModels
from .run_waits import Missing
from .store_threads import in_store
from .submitter import Submitter
from .waiters import Waiters

#: Records that one call reads at most, which takes Redis a millisecond or two.
_READ = 100

#: Seconds between two looks while Redis is away.
_RETRY_S = 0.25


@dataclass(frozen=True, slots=True)
class Service:
    """One API process. Its job ids are Redis's; another tenant's jobs are unknown here."""

    settings: ApiSettings
    jobs: JobsSettings
    catalog: Catalog
    queue: AsyncQueue
    store: FleetStore
    intake: Intake
    submitter: Submitter
    waiters: Waiters
    live: LiveModels
    demand: DemandLooks
    missing: Missing = field(default_factory=Missing)

    @classmethod
    def of(cls, request: Request) -> Service:
        """The service that a request came to."""
        service: Service = request.app.state.service
        return service

    def declared(self, request: Request) -> ModelDeclaration:
        """The model that a request's path names. Raises ModelNotFound."""
        path = request.path_params
        return self.catalog.get(path["model"], path.get("version"))

    async def fleet(self) -> FleetView:
        """Workers and totals of one instant."""
        return await self.queue.run(view(self.jobs))

    async def groups(self) -> list[GroupView]:
        """All groups by their ids, of which there may be thousands: a page each instant."""
        answers = await on_each(self.queue, self._groups)
        found = [group for each in answers_of_present(answers)[0] for group in each.items()]
        return [group for _, group in sorted(found, key=itemgetter(0))]

    async def _groups(self, queue: AsyncQueue) -> dict[str, GroupView]:
        found, cursor = await queue.run(groups(self.jobs))
        while cursor != FIRST_GROUPS:
            more, cursor = await queue.run(groups(self.jobs, cursor))
            found |= more
        return found

    async def records(self, job_ids: Sequence[str]) -> list[JobRecord | None]:
        """Records, in order; None for an unknown id, and for one that is not the caller's."""
        if not job_ids:
            return []
        who = caller.get()
        found: list[JobRecord | None] = []
        for at in range(0, len(job_ids), _READ):
            page = await self.queue.run(read(job_ids[at : at + _READ], self.jobs))
            found += page
        return [r if r is not None and who.sees(r.group.tenant) else None for r in found]

    async def record(self, job_id: str) -> JobRecord:
        """A record. Raises JobNotFound."""
        return _known((await self.records([job_id]))[0], job_id)

    async def wait(self, job_id: str, seconds: float, *, to_the_end: bool = False) -> JobRecord:
        """A record at its job's end, or as it stands after some seconds. Raises JobNotFound.

        A server that leaves tells earlier how it stands, unless it is waited `to_the_end`.
        """
        return _known((await self.wait_any([job_id], seconds, to_the_end=to_the_end))[0], job_id)

    async def wait_any(
        self, job_ids: Sequence[str], seconds: float, *, to_the_end: bool = False
    ) -> list[JobRecord | None]:
        """Records once one of the jobs has ended or is unknown, or after some seconds."""
        if seconds <= 0:
            return await self.records(job_ids)
        deadline = time.monotonic() + seconds
        with self.waiters.watching(job_ids) as watch:
            while True:
                watch.clear()
                records = await self._look(job_ids, deadline)
                left = deadline - time.monotonic()
                if draining.on and not to_the_end:
                    return records
                if left <= 0 or any(r is None or r.status.terminal for r in records):
                    return records
                await watch.heard(left)

    async def _look(self, job_ids: Sequence[str], deadline: float) -> list[JobRecord | None]:
        """Records; a Redis that is away is asked again, since the jobs go on."""
        while True:
            try:
                return await self.records(job_ids)
            except Unavailable:
                if time.monotonic() + _RETRY_S >= deadline:
                    raise
                await asyncio.sleep(_RETRY_S)

    async def response(self, job_id: str) -> StoredResult:
        """A succeeded job's response bytes. Raises NotFound when they are gone."""
        stored = await self.queue.run(result(job_id, self.jobs))
        if stored is None:
            raise NotFound(f"the result of job {shown_id(job_id)!r} is gone")
        if not stored.ref:
            return stored
        try:
            body = await in_store(self.store.get, stored.ref)
        except NotFound as error:
            raise NotFound(
                f"the result of job {shown_id(job_id)!r} is gone: {error.message}"
            ) from None
        return StoredResult(body=body, header_length=stored.header_length, ref="")

    async def asked(self, job_id: str) -> StoredRequest:
        """What a job was asked. Raises NotFound when that is gone."""
        stored = await self.queue.run(request(job_id, self.jobs))
        gone = (
            f"the request of job {shown_id(job_id)!r} is gone: that of an ended job is kept for a"
        )
        if stored is None:
            raise NotFound(f"{gone}, as far as WHERRY_KEPT_REQUESTS_BYTES goes")
        if not stored.ref:
            return stored
        try:
            body = await in_store(self.store.get, stored.ref)
        except NotFound:
            raise NotFound(f"{gone} where it is small (WHERRY_INLINE_MAX_BYTES)") from None
        return StoredRequest(body=body, header_length=stored.header_length, ref="")


def away_view(service: Service) -> dict[str, list[str]]:
    """What an answer says that has nothing of some families, since their Redis is away."""
    return {"away": sorted(service.queue.away_families)} if service.queue.away_families else {}


def _known(record: JobRecord | None, job_id: str) -> JobRecord:
    if record is None:
        raise JobNotFound(f"no job {shown_id(job_id)!r}")
    return record


def outcome_error(record: JobRecord) -> WherryError | None:
    """The error that an ended job answers with; None for one that succeeded."""
    match record.status:
        case JobState.FAILED:
            return from_code(record.error_type, record.error)
        case JobState.CANCELED:
            return JobCanceled(f"job {shown_id(record.id)!r} was canceled")
        case JobState.EXPIRED:
            return JobExpired(f"job {shown_id(record.id)!r} did not start before its deadline")
        case _:
            return None
