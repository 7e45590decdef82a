"""Running a request while its client waits: a job like any other, and a wait for its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple

from fastapi import Request
from starlette.requests import ClientDisconnect

from ...jobs.group import BULK_PRIORITY
from ...jobs.record import StoredResult
from ...jobs.recover import cancel, keep
from ...protocol import codec
from ...protocol.errors import DeadlineExceeded, JobNotFound, Unavailable, WherryError
from ...protocol.parameters import PRIORITY, STREAM
from ...protocol.states import JobState
from ...tasks.base import TaskInput, TaskOutput
from ...tasks.catalog import ModelDeclaration
from ..http.body import OFF_LOOP_BYTES, off_loop
from ..http.entry import told
from ..http.hangup import Hangup, unless_gone
from ..http.ids import job_path
from .envelope import Envelope
from .job_names import JobNames
from .new_job import PreparedJob
from .service import Service, outcome_error

#: Seconds of waiting after which it is watched whether the client is still there: most answers
#: come sooner, and the watch costs as much as the wait.
_PATIENT_S = 0.25


class EndedJob(NamedTuple):
    """A job at the end of our wait."""

    id: str
    status: JobState | None  # None while Redis is away
    response: StoredResult | None = None  # where it came along


async def run(service: Service, hangup: Hangup, prepared: PreparedJob, seconds: float) -> EndedJob:
    """Store the job and wait for its end; a job that only we know is canceled on a hang-up."""
    try:
        return await _run(service, hangup, prepared, seconds)
    except (ClientDisconnect, asyncio.CancelledError):  # the latter is how gRPC says it
        if prepared.fresh:
            abandon(service, prepared.job.id)
        raise


async def _run(service: Service, hangup: Hangup, prepared: PreparedJob, seconds: float) -> EndedJob:
    deadline = time.monotonic() + seconds
    with service.waiters.watching([prepared.job.id]) as watch:
        waits = seconds > 0
        stored = await service.submitter.store(
            prepared,
            reply_to=service.waiters.reply_channel if waits else "",
            brief_s=service.jobs.delivered_ttl_s if waits else 0,
        )
        # We listen since before the job was there, so a good end needs no look at the record.
        if stored.created and await watch.heard(min(seconds, _PATIENT_S)) == JobState.SUCCEEDED:
            return EndedJob(stored.id, JobState.SUCCEEDED, watch.response)
    left = deadline - time.monotonic()
    status = None
    try:
        waiting = service.wait(stored.id, left, to_the_end=True)
        status = (await (unless_gone(waiting, hangup) if left > 0 else waiting)).status
    except JobNotFound:
        if prepared.fresh:  # nobody else could have it forgotten
            raise Unavailable("the queue lost the job when it failed over; retry") from None
        raise
    except Unavailable:
        pass  # the job is safe, only we cannot see it
    if waits and prepared.fresh and not (status and status.terminal):
        await keep_answer(service, stored.id)
    return EndedJob(stored.id, status)


async def answer(request: Request, model: ModelDeclaration, given: TaskInput) -> TaskOutput:
    """A task's answer to its input, through the queue: what every compatible surface does.

    Raises what the intake refuses, the job's own error, and DeadlineExceeded with its path.
    """
    service, prepared = Service.of(request), await prepare(request, model, given)
    ended = await run(service, request.receive, prepared, service.settings.infer_timeout_s)
    return await output(service, model, ended)


async def prepare(
    request: Request, model: ModelDeclaration, given: TaskInput, *, stream: bool = False
) -> PreparedJob:
    """A job of the server's own id, or of its line's; `stream` tells its text as it is written."""
    intake, names = Service.of(request).intake, JobNames.of(request)
    parameters: dict[str, Any] = {STREAM: True} if stream else {}
    if names:
        parameters[PRIORITY] = BULK_PRIORITY
    return await asyncio.to_thread(
        intake.prepare_input,
        given,
        model,
        Envelope.of(request),
        parameters=parameters,
        job_id=names.next_id() if names else None,
    )


async def output(service: Service, model: ModelDeclaration, ended: EndedJob) -> TaskOutput:
    """An ended job's answer. Raises what `finished` raises."""
    stored = await finished(service, ended)

    def work() -> TaskOutput:
        response = codec.decode_response(stored.body, stored.header_length)
        return model.definition.output.of(response)

    found = await off_loop(work, large=len(stored.body) >= OFF_LOOP_BYTES)
    hearing = told.get()
    if found.warning and hearing is not None:
        hearing.append(found.warning)
    return found


async def finished(service: Service, ended: EndedJob) -> StoredResult:
    """An ended job's response. Raises the job's error, or DeadlineExceeded if it has not ended."""
    if ended.status is not JobState.SUCCEEDED:
        error = outcome_error(await service.record(ended.id)) if ended.status else None
        raise error or no_answer(ended.id)
    return ended.response or await service.response(ended.id)


def no_answer(job_id: str) -> DeadlineExceeded:
    """What a client is told that has waited for as long as it may."""
    return DeadlineExceeded(f"no answer yet; poll {job_path(job_id)}")


#: What goes on behind an answer; the loop itself keeps no task alive.
_behind: set[asyncio.Task[None]] = set()

#: Tries to have an answer kept that nobody waited for, and seconds between them.
_KEEP_TRIES, _KEEP_PAUSE_S = 60, 1.0


def go_on(work: Coroutine[Any, Any, None]) -> None:
    """Do some work beside whatever ends here."""
    task = asyncio.get_running_loop().create_task(work)
    _behind.add(task)
    task.add_done_callback(_behind.discard)


async def keep_answer(service: Service, job_id: str) -> None:
    """Let the answer stay, now that its client is told to poll; behind us while Redis is away."""

    async def try_again() -> None:
        for _ in range(_KEEP_TRIES):
            await asyncio.sleep(_KEEP_PAUSE_S)
            with contextlib.suppress(WherryError):
                await service.queue.run(keep(job_id, service.jobs))
                return

    try:
        await service.queue.run(keep(job_id, service.jobs))
    except Unavailable:
        go_on(try_again())


def abandon(service: Service, job_id: str) -> None:
    """Cancel a job that nobody else knows, beside whatever is being torn down here."""

    async def work() -> None:
        with contextlib.suppress(WherryError):
            await service.queue.run(cancel(job_id, service.jobs))

    go_on(work())
