"""Names that clients give to jobs, where families have a Redis of their own: one job each."""

from __future__ import annotations

from ...jobs import JobsSettings, NewJob
from ...jobs.fleet_queue import FleetQueue, on_each
from ...jobs.names import HELD_S, hold, known
from ...jobs.reach import answers_of_present
from ...jobs.record import Submission
from ...jobs.submit import OtherBody
from ...protocol.errors import Conflict


async def known_elsewhere(
    queue: FleetQueue, job: NewJob, settings: JobsSettings
) -> Submission | None:
    """The job that the names of this one stand for on another Redis; None where there is none.

    Older jobs are looked for on all. Then home holds the names for this job's Redis: whoever comes
    with one of them for another is refused until its job is there to be found. A Redis that is away
    takes only its own families along, so it is passed over.

    Raises OtherBody, and Conflict where a name is held for another.
    """
    mine, look = queue.part_of(job.group.family), known(job, settings)
    answers = await on_each(queue, lambda one: one.run(look))
    answers_of_present(answers)  # raises what is not that one is away
    for part, answer in zip(queue.parts, answers, strict=True):
        if isinstance(answer, Exception) or answer is None:
            continue
        if part is mine:
            return None  # submit says which of the two it is
        job_id, fingerprint = answer
        if fingerprint != job.fingerprint:
            raise OtherBody(job_id, fingerprint)
        return Submission(job_id, created=False)
    if await queue.run(hold(job, queue.holder(job.group.family), settings)):
        raise Conflict(
            f"job {job.id!r}, or its Idempotency-Key, was given to a model on another Redis in the"
            f" last {HELD_S // 60} minutes; use another"
        )
    return None
