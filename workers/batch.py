"""A claimed batch: jobs to rows, rows through the backend, answers back to jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..jobs.owned import own_id
from ..jobs.record import ClaimedJob, Outcome
from ..protocol.errors import BackendError, RowError, WherryError
from ..protocol.parameters import STREAM
from ..tasks.backends.base import NotAnsweredError, StreamingBackend
from ..tasks.base import TaskInput, TaskOutput
from ..tasks.parts import Parts
from ..telemetry.worker_metrics import ran_out_of_memory
from .answering import write
from .halving import Run
from .loaded_model import LoadedModel
from .own_parameters import run_alike
from .reading import ReadRequest, read
from .token_sender import TokenSender

log = logging.getLogger(__name__)


class Encoded(NamedTuple):
    """A job's answer before it is stored: a response, or an error."""

    job: ClaimedJob
    body: bytes = b""
    header_length: int = 0
    error: WherryError | None = None

    def outcome(self, ref: str = "") -> Outcome:
        """The answer as finish takes it; `ref` when the body went to the blob store."""
        if self.error is not None:
            return Outcome(
                id=self.job.id,
                attempt=self.job.attempt,
                error_type=self.error.code,
                error=self.error.message,
            )
        return Outcome(
            id=self.job.id,
            attempt=self.job.attempt,
            result=b"" if ref else self.body,
            result_ref=ref,
            header_length=self.header_length,
        )


@dataclass(slots=True)
class _Work:
    """One job's part of a batch."""

    job: ClaimedJob
    read: ReadRequest | None = None
    error: WherryError | None = None

    @property
    def rows(self) -> Sequence[TaskInput]:
        """The rows that are to be run."""
        return self.read.rows if self.read else ()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """All answers of a batch, in the jobs' order, and what it took."""

    answers: tuple[Encoded, ...]
    rows: int
    #: How many rows each forward had.
    sizes: tuple[int, ...]
    #: Seconds that it took to write the answers down.
    writing_s: float


def run_batch(
    model: LoadedModel,
    jobs: Sequence[ClaimedJob],
    payloads: Sequence[bytes | WherryError],
    sender: TokenSender | None = None,
) -> BatchResult:
    """Run the jobs of one batch. Never raises for a job's fault: each ends in its own answer.

    `sender` hears the tokens of the jobs that ask for a stream, where the model makes some.
    Answers carry the ids that their tenants know.
    """
    works = [_open(model, job, payload) for job, payload in zip(jobs, payloads, strict=True)]
    parts = Parts([row for work in works for row in work.rows])
    done = run_alike(model, _runner(model, works, sender), parts.rows)
    if done.ran_out:
        ran_out_of_memory(model.declaration.name, done.ran_out)
    if sender:
        sender.flush()
    answers, written_from = iter(parts.answers(done.rows)), time.perf_counter()
    encoded = tuple(_close(model, work, [next(answers) for _ in work.rows]) for work in works)
    writing_s = time.perf_counter() - written_from
    # Those that were claimed and charged: a document is one, whatever its pages.
    rows = sum(len(work.rows) for work in works)
    return BatchResult(encoded, rows, tuple(done.sizes), writing_s)


def _runner(
    model: LoadedModel, works: Sequence[_Work], sender: TokenSender | None
) -> Run[TaskInput, TaskOutput]:
    """How a part of the batch is run: with listeners for the rows of the jobs that want them."""
    backend = model.backend
    wanted = {
        id(row): (work.job, place)
        for work in works
        if work.read and work.read.request.parameters.get(STREAM) is True
        for place, row in zip(work.read.places, work.rows, strict=True)
    }
    if not sender or not wanted or not isinstance(backend, StreamingBackend):
        return backend.run

    def run(rows: Sequence[TaskInput]) -> Sequence[TaskOutput | RowError]:
        places = [wanted.get(id(row)) for row in rows]
        return backend.stream(rows, [place and sender.listener(*place) for place in places])

    return run


def _open(model: LoadedModel, job: ClaimedJob, payload: bytes | WherryError) -> _Work:
    if isinstance(payload, WherryError):
        return _Work(job, error=payload)
    try:
        found = read(model.task, payload, job.header_length)
        field = found.rows[0].binding() if found.rows else ""
        if field and not model.backend.follows_forms:
            raise RowError(
                f"{field}: the backend of model {model.declaration.name!r} follows no form"
            )
        return _Work(job, found)
    except WherryError as error:
        return _Work(job, error=error)
    except Exception as error:
        log.exception("job %s could not be read", job.id)
        return _Work(job, error=BackendError(f"the request raised {type(error).__name__}"))


def _close(model: LoadedModel, work: _Work, answers: Sequence[Any]) -> Encoded:
    if work.read is None:
        return Encoded(work.job, error=work.error)
    for answer in answers:
        if isinstance(answer, NotAnsweredError):  # nothing of the job is kept: it goes again
            return Encoded(work.job, error=answer)
    try:
        job_id = own_id(work.job.group.tenant, work.job.id)
        body, header_length = write(model, job_id, work.read, answers)
    except WherryError as error:
        return Encoded(work.job, error=error)
    except Exception as error:
        log.exception("the answer of job %s could not be written", work.job.id)
        return Encoded(work.job, error=BackendError(f"the answer raised {type(error).__name__}"))
    return Encoded(work.job, body, header_length)
