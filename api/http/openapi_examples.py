"""What the API page shows of bodies: for each task a request that is ready to try."""

from __future__ import annotations

import json
from typing import Any

from ...protocol import codec
from ...tasks.base import Task
from ...tasks.registry import get_task, task_names

_JSON, _OCTETS, _EVENTS = "application/json", "application/octet-stream", "text/event-stream"


def request_of(task: Task) -> dict[str, Any]:
    """The request of the task's golden example."""
    body, _ = codec.encode_request(task.example.input.to_inference_request(), binary=False)
    document: dict[str, Any] = json.loads(body)
    return document


REQUESTS = {name: request_of(get_task(name)) for name in task_names()}

_JOB_ID = "01977a3e-5f0c-7cc2-9d0e-3f4b5a6c7d8e"
_JOB = {
    "id": _JOB_ID,
    "status": "queued",
    "model_name": "embedding",
    "model_version": "1",
    "task": "embedding",
    "rows": 1,
    "priority": 5,
    "attempt": 0,
    "queue_position": 0,
    "estimated_start_at": "2026-11-21T06:00:00.040Z",
    "created_at": "2026-11-21T06:00:00.000Z",
    "started_at": None,
    "finished_at": None,
    "worker": None,
    "error": None,
    "trace_id": None,
    "history": [{"status": "queued", "at": "2026-11-21T06:00:00.000Z", "attempt": 0}],
    "status_url": f"/v2/jobs/{_JOB_ID}",
    "result_url": f"/v2/jobs/{_JOB_ID}/result",
    "cancel_url": f"/v2/jobs/{_JOB_ID}/cancel",
    "events_url": f"/v2/jobs/{_JOB_ID}/events",
}
_ANSWER = {
    "model_name": "embedding",
    "model_version": "1",
    "id": _JOB_ID,
    "outputs": [
        {"name": "embedding", "shape": [1, 3], "datatype": "FP32", "data": [[0.6, 0.0, -0.8]]}
    ],
}
_ERROR = {"error": "input 'text' is missing", "error_type": "invalid_request", "request_id": "..."}

_CODES = {
    400: "The request can never work; the text names the field.",
    404: "No such model, version, job or worker.",
    409: "The id is taken by another body, or what is there does not allow it.",
    410: "The job was canceled or expired.",
    413: "Too many bytes or rows.",
    503: "The queue is full or away, or the model is unloaded; Retry-After says when to come back.",
    504: "No answer in time; Location names the job to poll.",
}


#: JSON with raw tensors behind it: the binary extension's form.
_BYTES: dict[str, Any] = {_OCTETS: {"schema": {"type": "string", "format": "binary"}}}


def content(example: Any, kind: str = _JSON) -> dict[str, Any]:
    """A body's kind, with an example."""
    form = "array" if isinstance(example, list) else "object"
    return {kind: {"schema": {"type": form}, "example": example}}


def route(
    *good: tuple[int, str, dict[str, Any]],
    bad: tuple[int, ...],
    bodies: dict[str, Any] | None = None,
    binary: bool = False,
) -> dict[str, Any]:
    """A route's documentation as FastAPI's decorators take it; the usual answer comes first."""
    answers: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": body} for status, text, body in good
    }
    answers |= {s: {"description": _CODES[s], "content": content(_ERROR)} for s in bad}
    documented: dict[str, Any] = {"status_code": good[0][0], "responses": answers}
    if bodies is not None:
        examples = {name: {"value": value} for name, value in bodies.items()}
        kinds = {_JSON: {"schema": {"type": "object"}, "examples": examples}}
        if binary:
            kinds |= _BYTES
        documented["openapi_extra"] = {"requestBody": {"required": True, "content": kinds}}
    return documented


_DONE = {**_JOB, "status": "succeeded", "queue_position": None, "estimated_start_at": None}

INFER = route(
    (200, "The answer.", content(_ANSWER)),
    (202, "Stored; asked for by `Prefer: respond-async`.", content(_JOB)),
    bad=(400, 404, 413, 503, 504),
    bodies=REQUESTS,
    binary=True,
)
SUBMIT = route(
    (202, "Stored.", content(_JOB)),
    (200, "Done, within the wait that was asked for.", content(_DONE)),
    bad=(400, 404, 409, 413, 503),
    bodies=REQUESTS,
    binary=True,
)
JOB_ANSWER = route(
    (200, "The job has ended.", content(_DONE)),
    (202, "It waits or runs.", content(_JOB)),
    bad=(404, 503),
)
RESULT = route(
    (200, "The answer.", content(_ANSWER)),
    (202, "There is none yet.", content(_JOB)),
    (307, "It lies at the Location; only when a redirect was asked for.", {}),
    bad=(400, 404, 410, 503),
)
REQUEST = route(
    (200, "What was asked, in normal form.", content(next(iter(REQUESTS.values())))),
    bad=(400, 404, 503),
)
LIST = route(
    (200, "A page of jobs, newest first.", content({"jobs": [_JOB], "next": None})),
    bad=(400, 503),
)
LIST_EVENTS = route(
    (
        200,
        "An event for the jobs that came or changed in half a second.",
        content('event: jobs\ndata: {"jobs": [...], "missed": 0}', _EVENTS),
    ),
    bad=(400, 503),
)
EVENTS = route(
    (200, "One event a change.", content("id: 1\nevent: queued\ndata: {...}", _EVENTS)),
    bad=(400, 404, 503),
)
STREAM = route(
    (
        200,
        "One event for each few tokens; the last names the job's end.",
        content('id: 1763720000000-0\nevent: tokens\ndata: {"row": 0, "text": ...}', _EVENTS),
    ),
    bad=(400, 404, 503),
)
BATCH = route(
    (
        200,
        "An outcome per entry, in order.",
        content(
            {
                "jobs": [
                    {"index": 0, "status_code": 202, "job": _JOB},
                    {"index": 1, "status_code": 400, **_ERROR},
                ]
            }
        ),
    ),
    bad=(400, 413, 503),
    bodies={
        "every task": {
            "jobs": [{"model_name": name, "request": body} for name, body in REQUESTS.items()]
        }
    },
    binary=True,
)
STATUS = route(
    (
        200,
        "The jobs' states, in the order of the ids; as octets, raw outputs follow the JSON.",
        {**content({"jobs": [_JOB]}), **_BYTES},
    ),
    bad=(400, 503),
    bodies={"wait for one": {"ids": [_JOB_ID], "wait": 20, "results": True}},
)
FORGET = route(
    (204, "They are gone.", {}),
    bad=(400, 503),
    bodies={"one": {"ids": [_JOB_ID]}},
)
INDEX = route(
    (
        200,
        "The models.",
        content([{"name": "embedding", "version": "1", "state": "READY", "reason": ""}]),
    ),
    bad=(400, 503),
    bodies={"all": {}, "the ready ones": {"ready": True}},
)
