"""A claimed batch: jobs to rows, rows through the backend, answers back to jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..jobs.owned import own_id
from ..jobs.record import ClaimedJob, Outcome
from ..protocol import codec, v2
from ..protocol.errors import (
    BackendError,
    InvalidRequest,
    InvalidTensor,
    RowError,
    WherryError,
)
from ..protocol.parameters import (
    ON_ROW_ERROR,
    ROW_ERRORS,
    STREAM,
    errors_told,
    places_left,
    remarks_on,
    row_errors,
    warnings,
)
from ..tasks.backends.base import StreamingBackend
from ..tasks.base import TaskInput, TaskOutput
from ..tasks.blanks import with_blanks
from ..tasks.parts import Parts
from .halving import Run
from .loaded_model import LoadedModel
from .own_parameters import run_alike
from .token_sender import TokenSender

R = TypeVar("R")
S = TypeVar("S")

log = logging.getLogger(__name__)

#: Tensors of more elements, and files, are stored raw; smaller ones as JSON, ready to serve.
_JSON_MAX_ELEMENTS = 4096


@dataclass(frozen=True, slots=True)
class Encoded:
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
    request: v2.InferenceRequest | None = None
    rows: Sequence[TaskInput] = ()
    error: WherryError | None = None
    #: Rows that the API refused and sent no further, by their places in the request.
    refused: Mapping[int, WherryError] = field(default_factory=dict)

    @property
    def places(self) -> Sequence[int]:
        """Where in the request each of the rows is."""
        return places_left(len(self.rows), self.refused) if self.refused else range(len(self.rows))


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
        if work.request and (work.request.parameters or {}).get(STREAM) is True
        for place, row in zip(work.places, work.rows, strict=True)
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
        request = codec.decode_stored(memoryview(payload), job.header_length)
        refused = errors_told(request.parameters)
        request.parameters.pop(ROW_ERRORS, None)
        rows = model.task.input.from_inference_request(request).rows()
    except WherryError as error:
        return _Work(job, error=error)
    except Exception as error:
        log.exception("job %s could not be read", job.id)
        return _Work(job, error=BackendError(f"the request raised {type(error).__name__}"))
    return _Work(job, request, rows, refused=refused)


def _close(model: LoadedModel, work: _Work, answers: Sequence[Any]) -> Encoded:
    if work.request is None:
        return Encoded(work.job, error=work.error)
    try:
        job_id = own_id(work.job.group.tenant, work.job.id)
        body, header_length = _encode(model, job_id, work, answers)
    except WherryError as error:
        return Encoded(work.job, error=error)
    except Exception as error:
        log.exception("the answer of job %s could not be written", work.job.id)
        return Encoded(work.job, error=BackendError(f"the answer raised {type(error).__name__}"))
    return Encoded(work.job, body, header_length)


def _encode(
    model: LoadedModel,
    job_id: str,
    work: _Work,
    made: Sequence[TaskOutput | WherryError],
) -> tuple[bytes, int]:
    request = work.request
    assert request is not None
    answers = _in_places(work.places, made, work.refused)
    failed = {i: a for i, a in enumerate(answers) if isinstance(a, WherryError)}
    if failed and not _skips(request):
        raise _first_error(failed, len(answers))
    output = model.task.output
    joined = output.join([output.empty() if isinstance(a, WherryError) else a for a in answers])
    response = with_blanks(
        joined.to_inference_response(model.declaration.name),
        model.task,
        _in_places(work.places, work.rows, dict.fromkeys(work.refused)),
    )
    odd = remarks_on(request, model.task.input.parameter_names())
    response.id, response.model_version = job_id, model.declaration.version
    if told := _response_parameters(odd, answers):
        response.parameters = {**response.parameters, **told}
    if request.outputs:
        optional = frozenset(spec.name for spec in model.task.outputs if spec.optional)
        response = codec.select_outputs(response, request.outputs, optional=optional)
    raw = {tensor.name for tensor in response.outputs if _is_heavy(tensor)}
    try:
        body, header_length = codec.encode_response(response, binary_names=raw)
    except InvalidTensor:
        # NaN, infinity and half floats have no JSON form; who asks for binary data can have them.
        body, header_length = codec.encode_response(response, binary=True)
    return body, header_length if header_length is not None else len(body)


def _in_places(places: Sequence[int], made: Sequence[R], refused: Mapping[int, S]) -> list[R | S]:
    """One entry a row of the request, of what was made of those that came and of the others."""
    if not refused:  # as nearly always
        return list(made)
    found: dict[int, R | S] = {**dict(zip(places, made, strict=True)), **refused}
    return [found[place] for place in sorted(found)]


def _response_parameters(
    odd: Sequence[str], answers: Sequence[TaskOutput | WherryError]
) -> dict[str, str]:
    """Response parameters: remarks on the request, warnings and errors of its rows."""
    if not odd and not any(isinstance(a, WherryError) or a.warning for a in answers):
        return {}  # as nearly always
    notes = {i: a.warning for i, a in enumerate(answers) if isinstance(a, TaskOutput) and a.warning}
    told = warnings(odd, notes, len(answers))
    return {
        **told,
        **row_errors({i: a for i, a in enumerate(answers) if isinstance(a, WherryError)}),
    }


def _skips(request: v2.InferenceRequest) -> bool:
    policy = (request.parameters or {}).get(ON_ROW_ERROR, "fail")
    if policy not in ("fail", "skip"):
        raise InvalidRequest(f"parameter {ON_ROW_ERROR}: use 'fail' or 'skip', not {policy!r}")
    return bool(policy == "skip")


def _first_error(failed: dict[int, WherryError], rows: int) -> WherryError:
    """The error that stands for a job: its own row's, named by number when there are several."""
    index, error = next(iter(failed.items()))
    if rows == 1:
        return error
    text = f"row {index}: {error.message}"
    if len(failed) > 1:
        text += f" (and {len(failed) - 1} more of {rows} rows)"
    return type(error)(text) if isinstance(error, RowError | BackendError) else error


def _is_heavy(tensor: v2.ResponseOutput) -> bool:
    data = tensor.data
    if not isinstance(data, list):
        return True
    elements = 1
    for dimension in tensor.shape:
        elements *= dimension
    if elements > _JSON_MAX_ELEMENTS:
        return True
    while data and isinstance(data[0], list):
        data = data[0]
    return bool(data) and isinstance(data[0], bytes)
