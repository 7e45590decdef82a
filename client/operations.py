"""What a client can ask, as flows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import from_json, to_json

from ..protocol import codec, v2
from ..protocol.errors import DeadlineExceeded
from ..tasks.base import Task, TaskInput, TaskOutput
from ..tasks.registry import get_task, task_names
from .flow import Call, Flow, ask
from .jobs import JobView

#: Seconds that one long poll asks the server to hold.
POLL_S = 20.0

_HEADER_LENGTH = "Inference-Header-Content-Length"

Input = TaskInput | v2.InferenceRequest
Output = TaskOutput | v2.InferenceResponse


@dataclass(frozen=True, slots=True)
class Wishes:
    """What goes along with a submission."""

    id: str | None = None
    priority: int = 0
    timeout_s: float = 0.0

    def parameters(self) -> dict[str, int]:
        """As OIP request parameters: priority, and timeout in µs."""
        named = {"priority": self.priority, "timeout": int(self.timeout_s * 1e6)}
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
    for name in task_names():
        task = get_task(name)
        if type(inputs) is task.input:
            return task
    return None


def output_of(task: Task | None, response: v2.InferenceResponse) -> Output:
    """A response as the task's Output, or as it is."""
    return task.output.from_inference_response(response) if task else response


def _infer_call(model: str, verb: str, request: v2.InferenceRequest, held_s: float = 0.0) -> Call:
    body, header_length = codec.encode_request(request, binary=True)
    headers = {_HEADER_LENGTH: str(header_length), "Content-Type": "application/octet-stream"}
    return Call("POST", f"/v2/models/{quote(model, safe='')}/{verb}", body, headers, held_s)


def _job_path(job_id: str, rest: str = "", **query: Any) -> str:
    asked = {name: value for name, value in query.items() if value}
    return f"/v2/jobs/{quote(job_id, safe='')}{rest}" + (f"?{urlencode(asked)}" if asked else "")


def submit(model: str, inputs: Input, wishes: Wishes, *, patience_s: float) -> Flow[JobView]:
    """Submit a job."""
    request = request_of(inputs, wishes)
    reply = yield from ask(_infer_call(model, "jobs", request), patience_s=patience_s)
    return JobView.model_validate(reply.json())


def infer(model: str, inputs: Input, wishes: Wishes, *, patience_s: float) -> Flow[Output]:
    """Run a request and wait for its answer in one call."""
    request = request_of(inputs, wishes)
    reply = yield from ask(
        _infer_call(model, "infer", request, held_s=POLL_S * 3), patience_s=patience_s
    )
    return output_of(task_of(inputs), response_of(reply.content, reply.headers))


def response_of(content: bytes, headers: Mapping[str, str]) -> v2.InferenceResponse:
    """A response in either wire form."""
    length = headers.get(_HEADER_LENGTH.lower())
    return codec.decode_response(content, int(length) if length else None)


def status(job_id: str, *, patience_s: float) -> Flow[JobView]:
    """A job's state."""
    reply = yield from ask(Call("GET", _job_path(job_id)), patience_s=patience_s)
    return JobView.model_validate(reply.json())


def wait(job_id: str, timeout_s: float | None, *, patience_s: float) -> Flow[JobView]:
    """A job's state at its end. Raises DeadlineExceeded when it is not done in time."""
    left = timeout_s
    while True:
        held_s = POLL_S if left is None else min(POLL_S, left)
        call = Call("GET", _job_path(job_id, wait=round(held_s, 3)), held_s=held_s)
        reply = yield from ask(call, patience_s=patience_s)
        job = JobView.model_validate(reply.json())
        if job.done:
            return job
        if left is not None:
            left -= held_s
            if left <= 0:
                raise DeadlineExceeded(f"job {job_id!r} is {job.status} after {timeout_s} s")


def result(job_id: str, timeout_s: float | None, *, patience_s: float) -> Flow[Output]:
    """A job's answer, waited for. Raises the job's error when it has none."""
    job = yield from wait(job_id, timeout_s, patience_s=patience_s)
    failure = job.failure()
    if failure is not None:
        raise failure
    call = Call("GET", _job_path(job_id, "/result"), headers={"Accept": "application/octet-stream"})
    reply = yield from ask(call, patience_s=patience_s)
    task = get_task(job.task) if job.task in task_names() else None
    return output_of(task, response_of(reply.content, reply.headers))


def cancel(job_id: str, *, patience_s: float) -> Flow[JobView]:
    """Cancel a job."""
    reply = yield from ask(Call("POST", _job_path(job_id, "/cancel")), patience_s=patience_s)
    return JobView.model_validate(reply.json())


def get_json(path: str, *, patience_s: float) -> Flow[dict[str, Any]]:
    """Any document of the server."""
    reply = yield from ask(Call("GET", path), patience_s=patience_s)
    document: dict[str, Any] = reply.json()
    return document


def models(*, patience_s: float) -> Flow[list[dict[str, Any]]]:
    """The models and their states, as the repository index lists them."""
    reply = yield from ask(Call("POST", "/v2/repository/index", b"{}"), patience_s=patience_s)
    listed: list[dict[str, Any]] = reply.json()
    return listed


def submit_many(
    model: str, requests: Sequence[v2.InferenceRequest], *, patience_s: float
) -> Flow[list[dict[str, Any]]]:
    """Submit jobs in one round trip: an outcome each."""
    entries = [
        {"model_name": model, "request": from_json(codec.encode_request(r, binary=False)[0])}
        for r in requests
    ]
    body = to_json({"jobs": entries})
    reply = yield from ask(Call("POST", "/v2/jobs:batch", body), patience_s=patience_s)
    outcomes: list[dict[str, Any]] = reply.json()["jobs"]
    return outcomes


def read_many(
    job_ids: Sequence[str], held_s: float, *, patience_s: float
) -> Flow[list[dict[str, Any]]]:
    """States and answers of jobs in one round trip, once one of them has ended."""
    body = to_json({"ids": list(job_ids), "wait": held_s, "results": True})
    call = Call("POST", "/v2/jobs:status", body, held_s=held_s)
    reply = yield from ask(call, patience_s=patience_s)
    views: list[dict[str, Any]] = reply.json()["jobs"]
    return views
