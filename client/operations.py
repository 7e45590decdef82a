"""What a client can ask, as flows."""

from __future__ import annotations

import functools
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import ValidationError
from pydantic_core import to_json

from ..protocol import codec, v2
from ..protocol.errors import (
    DeadlineExceeded,
    InvalidRequest,
    JobNotFound,
    WherryError,
)
from ..protocol.parameters import EXECUTION_TIMEOUT, PRIORITY, TIMEOUT, WEBHOOK
from ..tasks.base import Task, TaskInput, TaskOutput
from ..tasks.registry import get_task, task_names
from .flow import NO_WHERRY, Flow, HttpRequest, HttpResponse, Pause, ask
from .jobs import JobView

#: Seconds that one long poll asks the server to hold.
POLL_S = 20.0
#: Seconds that `infer` asks the server to hold; a job that takes longer is polled.
_INFER_S = 60.0
#: Seconds between two polls at least: a server may hold none of them.
POLL_EVERY_S = 1.0

#: The header that says where a body's raw tensors begin, and the type of such a body.
HEADER_LENGTH, OCTETS = "Inference-Header-Content-Length", "application/octet-stream"

Input = TaskInput | v2.InferenceRequest
Output = TaskOutput | v2.InferenceResponse


@dataclass(frozen=True, slots=True)
class Wishes:
    """What goes along with a submission."""

    id: str | None = None
    priority: int = 0
    timeout_s: float = 0.0
    execution_timeout_s: float = 0.0
    webhook: str = ""

    def parameters(self) -> dict[str, int | float | str]:
        """As request parameters; OIP's timeout is in µs."""
        named: dict[str, int | float | str] = {
            PRIORITY: self.priority,
            TIMEOUT: math.ceil(self.timeout_s * 1e6),
            EXECUTION_TIMEOUT: self.execution_timeout_s,
            WEBHOOK: self.webhook,
        }
        return {name: value for name, value in named.items() if value}


def request_of(inputs: Input, wishes: Wishes) -> v2.InferenceRequest:
    """The request of an input, with an id, so that sending it again is harmless."""
    request = inputs if isinstance(inputs, v2.InferenceRequest) else inputs.to_inference_request()
    return request.model_copy(
        update={
            "id": wishes.id or request.id or str(uuid.uuid4()),
            "parameters": {**request.parameters, **wishes.parameters()},
        }
    )


def task_of(inputs: Input) -> Task | None:
    """The task whose Input this is; None for a plain request."""
    return None if isinstance(inputs, v2.InferenceRequest) else _task_of(type(inputs))


@functools.cache
def _task_of(kind: type[TaskInput]) -> Task | None:
    return next((task for task in map(get_task, task_names()) if task.input is kind), None)


def output_of(task: Task | None, response: v2.InferenceResponse) -> Output:
    """A response as the task's Output, or as it is."""
    return task.output.of(response) if task else response


def _infer_call(
    model: str,
    verb: str,
    request: v2.InferenceRequest,
    held_s: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    body, header_length = codec.encode_request(request, binary=True)
    form = {HEADER_LENGTH: str(header_length), "Content-Type": OCTETS}
    return HttpRequest(
        "POST", f"{model_path(model)}/{verb}", body, {**form, **(headers or {})}, held_s
    )


def model_path(model: str) -> str:
    """Where a model is."""
    return f"/v2/models/{quote(model, safe='')}"


def repository_path(model: str) -> str:
    """Where a model is opened and closed."""
    return f"/v2/repository/models/{quote(model, safe='')}"


def _job_path(job_id: str, rest: str = "", **query: Any) -> str:
    if job_id in ("", ".", ".."):  # a URL would take these for another path
        raise JobNotFound(f"no job {job_id!r}")
    asked = {name: value for name, value in query.items() if value}
    return f"/v2/jobs/{quote(job_id, safe='')}{rest}" + (f"?{urlencode(asked)}" if asked else "")


def _job(reply: HttpResponse) -> JobView:
    try:
        return JobView.model_validate_json(reply.content)
    except ValidationError:
        raise WherryError(NO_WHERRY) from None


def submit(model: str, inputs: Input, wishes: Wishes, *, patience_s: float) -> Flow[JobView]:
    """Submit a job."""
    request = request_of(inputs, wishes)
    reply = yield from ask(_infer_call(model, "jobs", request), patience_s=patience_s)
    return _job(reply)


def infer(
    model: str, inputs: Input, wishes: Wishes, timeout_s: float | None, *, patience_s: float
) -> Flow[Output]:
    """Run a request and wait for its answer; DeadlineExceeded names the job, which goes on."""
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    request = request_of(inputs, wishes)
    # Binary, because JSON has no NaN.
    request.parameters.setdefault("binary_data_output", True)
    held_s = min(_INFER_S, math.inf if timeout_s is None else timeout_s)
    # `infer` echoes the id and lets it repeat: only the key makes sending again harmless.
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": f"wait={held_s:.3f}"}
    call = _infer_call(model, "infer", request, held_s, headers)
    reply = yield from ask(call, patience_s=patience_s, accept=504)
    if reply.status != 504:
        return output_of(task_of(inputs), response_of(reply.content, reply.headers))
    job_id = str(reply.json()["id"])
    left = None if timeout_s is None else max(0.0, deadline - time.monotonic())
    yield from _succeeded(job_id, left, patience_s=patience_s)
    response = yield from fetch(job_id, patience_s=patience_s)
    return output_of(task_of(inputs), response.model_copy(update={"id": request.id}))


def response_of(content: bytes, headers: Mapping[str, str]) -> v2.InferenceResponse:
    """A response in either wire form."""
    length = headers.get(HEADER_LENGTH.lower())
    return codec.decode_response(content, int(length) if length else None)


def status(job_id: str, *, patience_s: float) -> Flow[JobView]:
    """A job's state."""
    reply = yield from ask(HttpRequest("GET", _job_path(job_id)), patience_s=patience_s)
    return _job(reply)


def wait(job_id: str, timeout_s: float | None, *, patience_s: float) -> Flow[JobView]:
    """A job's state at its end. Raises DeadlineExceeded when it is not done in time."""
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while True:
        asked_at = time.monotonic()
        left = max(0.0, deadline - asked_at)
        held_s = min(POLL_S, left)
        call = HttpRequest("GET", _job_path(job_id, wait=round(held_s, 3)), held_s=held_s)
        reply = yield from ask(call, patience_s=min(patience_s, left))
        job = _job(reply)
        if job.done:
            return job
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(f"job {job_id!r} is still {job.status}; it goes on")
        # The server may answer earlier than asked, even at once.
        pause_s = min(asked_at + POLL_EVERY_S, deadline) - time.monotonic()
        if pause_s > 0:
            yield Pause(pause_s)


def result(job_id: str, timeout_s: float | None, *, plain: bool, patience_s: float) -> Flow[Output]:
    """A job's answer, waited for. Raises the job's error when it has none."""
    job = yield from _succeeded(job_id, timeout_s, patience_s=patience_s)
    response = yield from fetch(job_id, patience_s=patience_s)
    if plain or job.task not in task_names():
        return response
    try:
        return output_of(get_task(job.task), response)
    except InvalidRequest:
        return response  # its request chose among the outputs, so they make no whole Output


def _succeeded(job_id: str, timeout_s: float | None, *, patience_s: float) -> Flow[JobView]:
    job = yield from wait(job_id, timeout_s, patience_s=patience_s)
    failure = job.failure()
    if failure is not None:
        raise failure
    return job


def fetch(job_id: str, *, patience_s: float) -> Flow[v2.InferenceResponse]:
    """A succeeded job's response, in binary, which carries all that JSON cannot."""
    call = HttpRequest("GET", _job_path(job_id, "/result"), headers={"Accept": OCTETS})
    reply = yield from ask(call, patience_s=patience_s)
    return response_of(reply.content, reply.headers)


def cancel(job_id: str, *, patience_s: float) -> Flow[JobView]:
    """Cancel a job."""
    reply = yield from ask(HttpRequest("POST", _job_path(job_id, "/cancel")), patience_s=patience_s)
    return _job(reply)


def get_json(path: str, *, patience_s: float) -> Flow[dict[str, Any]]:
    """Any document of the server."""
    reply = yield from ask(HttpRequest("GET", path), patience_s=patience_s)
    document: dict[str, Any] = reply.json()
    return document


def post_json(path: str, document: object, *, patience_s: float) -> Flow[dict[str, Any]]:
    """Send a document to any path of the server; {} for an answer without a body."""
    # The key makes sending again harmless where the path makes a job of it.
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
    call = HttpRequest("POST", path, to_json(document), headers, _INFER_S)
    reply = yield from ask(call, patience_s=patience_s)
    answer: dict[str, Any] = reply.json() if reply.content else {}
    return answer


def delete_json(path: str, *, patience_s: float) -> Flow[dict[str, Any]]:
    """Remove what is at any path of the server."""
    reply = yield from ask(HttpRequest("DELETE", path), patience_s=patience_s)
    answer: dict[str, Any] = reply.json() if reply.content else {}
    return answer


def models(*, patience_s: float) -> Flow[list[dict[str, Any]]]:
    """The models and their states, as the repository index lists them."""
    reply = yield from ask(
        HttpRequest("POST", "/v2/repository/index", b"{}"), patience_s=patience_s
    )
    listed: list[dict[str, Any]] = reply.json()
    return listed


def readiness(*, patience_s: float) -> Flow[list[str]]:
    """What keeps the server from being ready; none when it is."""
    call = HttpRequest("GET", "/v2/health/ready")
    reply = yield call
    if reply.status == 503 and b'"reasons"' in reply.content:  # it answers: that is what it says
        return [str(reason) for reason in reply.json()["reasons"]]
    yield from ask(call, patience_s=patience_s)
    return []
