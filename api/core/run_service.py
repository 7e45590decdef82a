"""Runs of this fleet as a caller may see them: made, found, commanded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...jobs.run_follow import finish_run
from ...jobs.run_records import Run, RunExport
from ...jobs.run_retry import retry_run
from ...jobs.run_rows import Sheets
from ...jobs.run_spec import RunSpec
from ...jobs.runs import (
    ask_export,
    command_run,
    create_run,
    forget_run,
    get_runs,
    run_page,
    shards_of,
)
from ...protocol.errors import Conflict, InvalidRequest, NotFound
from ...telemetry import traces
from ..access.caller import caller
from ..access.keys import make
from ..http.ids import shown_id
from .held_uploads import hold
from .service import Service

#: Pages of ids that one page of a filtered list looks at.
_LOOKS = 10


async def begin_run(service: Service, spec: RunSpec, *, closed: bool) -> bool:
    """Write a run down and have it begun; False for one that is there. Raises Conflict.

    Where keys are needed it gets one of its own, for the run workers, which ends with it.
    """
    if spec.webhook:
        await service.submitter.outbound.check_webhook(spec.webhook)
    await check_compared(service, spec)
    await hold(service, spec.source, spec.id)
    key = _run_key(spec) if closed else {}
    call = create_run(spec, service.jobs, trace=traces.current(), **key)
    try:
        return await service.queue.run(call)
    except Conflict as error:
        raise Conflict(error.message.replace(spec.id, shown_id(spec.id))) from None


async def retry(service: Service, stored_id: str, *, closed: bool) -> Run:
    """Let a run go on that failed, was canceled or expired. Raises Conflict for any other."""
    spec = (await find_run(service, stored_id)).spec
    await hold(service, spec.source, spec.id)
    key = _run_key(spec) if closed else {}
    try:
        if not await service.queue.run(retry_run(spec, service.jobs, **key)):
            run = await find_run(service, stored_id)
            raise Conflict(f"run {stored_id!r} is {run.state}: there is nothing to retry")
    except Conflict as error:
        raise Conflict(error.message.replace(stored_id, shown_id(stored_id))) from None
    return await find_run(service, stored_id)


async def begin_export(
    service: Service, spec: RunSpec, format_name: str, *, closed: bool
) -> RunExport:
    """Have a finished run's answers written in another format. Raises NotFound.

    The run's own key is gone: where keys are needed there is another until the export has ended.
    """
    key = _key(spec, scopes=["read"]) if closed else {}
    return await service.queue.run(ask_export(spec.id, format_name, service.jobs, **key))


def _run_key(spec: RunSpec) -> dict[str, str]:
    """A key for a run's jobs: with the caller's weight and limits."""
    who = caller.get()
    return _key(
        spec,
        scopes=["submit", "read"],
        weight=who.weight,
        max_waiting=who.limits.max_waiting,
        max_waiting_bytes=who.limits.max_waiting_bytes,
        submits_per_s=who.limits.submits_per_s,
    )


def _key(spec: RunSpec, **fields: object) -> dict[str, str]:
    """A key for a run's own work: Redis has it as it is, so it is no admin's, whoever asks."""
    note = f"run {spec.id}"[:200]
    made = make(tenant=spec.tenant, run=spec.id, note=note, **fields)
    return {"token": made.token, "key_id": made.key.id, "key_text": made.key.json_text()}


async def find_runs(service: Service, run_ids: Sequence[str]) -> list[Run]:
    """Those of some runs that are there and the caller's, in their order."""
    if not run_ids:
        return []
    found = await service.queue.run(get_runs(run_ids, service.jobs))
    who = caller.get()
    seen = [run for run in found if run is not None and who.sees(run.spec.tenant)]
    return await service.missing.told(service, seen)


async def find_run(service: Service, stored_id: str) -> Run:
    """A run, by what Redis calls it. Raises NotFound."""
    found = await find_runs(service, [stored_id])
    if not found:
        raise NotFound(f"no run {shown_id(stored_id)[:100]!r}")
    return found[0]


async def check_compared(service: Service, spec: RunSpec) -> None:
    """Raise InvalidRequest where the run that another is to be held against is not there."""
    if not spec.compare:
        return
    if spec.compare == spec.id or not await find_runs(service, [spec.compare]):
        raise InvalidRequest(f"compare: no run {shown_id(spec.compare)[:100]!r}")


async def list_runs(
    service: Service, state: str, tenant: str, after: str, limit: int
) -> tuple[list[Run], str]:
    """A page of runs, newest first, and where the next goes on; "" at the end.

    Raises InvalidRequest for an `after` that is no run's.
    """
    who = caller.get()
    found: list[Run] = []
    for _ in range(_LOOKS):
        call = run_page(after, limit + 1, service.jobs, tenant=who.only or tenant)
        ids = await service.queue.run(call)
        if ids is None:
            raise InvalidRequest(f"after: no run {shown_id(after)[:100]!r}")
        page, is_last = ids[:limit], len(ids) <= limit
        for run in await find_runs(service, page):
            if state in ("", run.state.value):
                found.append(run)
                if len(found) == limit:
                    is_end = is_last and run.spec.id == page[-1]
                    return found, "" if is_end else run.spec.id
        if is_last:
            return found, ""
        after = page[-1]
    return found, after


async def command(service: Service, stored_id: str, word: str) -> Run:
    """Let a run `pause`, `resume` or `cancel`; one that has ended stays as it is."""
    await find_run(service, stored_id)  # before anything is done: it may be another's
    await service.queue.run(command_run(stored_id, word, service.jobs))
    return await find_run(service, stored_id)


async def finish_following(service: Service, stored_id: str) -> Run:
    """Have a run take no more of its source. Raises InvalidRequest for one that follows none."""
    run = await find_run(service, stored_id)
    if not run.spec.follow:
        raise InvalidRequest(f"run {shown_id(stored_id)!r} follows nothing: it ends by itself")
    await service.queue.run(finish_run(stored_id, service.jobs))
    return await find_run(service, stored_id)


async def forget(service: Service, stored_id: str) -> None:
    """Take an ended run out of the books, with all that is kept of it. Raises Conflict."""
    run = await find_run(service, stored_id)
    try:
        await service.queue.run(forget_run(run.spec, service.jobs))
    except Conflict as error:
        raise Conflict(error.message.replace(stored_id, shown_id(stored_id))) from None


async def sheets_of(service: Service, run: Run) -> Sheets:
    """What there is to browse of a run."""
    shards = await service.queue.run(shards_of(run.spec.id, service.jobs))
    return Sheets(service.store, run, shards)


async def sheets_of_both(service: Service, one: Run, other: Run) -> tuple[Sheets, Sheets]:
    """Those of two runs."""
    a, b = await asyncio.gather(sheets_of(service, one), sheets_of(service, other))
    return a, b
