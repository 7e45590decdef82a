"""From a Celery task's arguments to a job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from ...protocol import codec
from ...protocol.errors import InvalidRequest
from ...protocol.nearest import meant
from ...protocol.parameters import (
    EXECUTION_TIMEOUT,
    PRIORITY,
    SERVER_PARAMETERS,
    STREAM,
    TIMEOUT,
    WEBHOOK,
    remarks,
)
from ...tasks.base import Task, TaskInput
from ...tasks.catalog import ModelDeclaration
from ..access.caller import Caller
from ..core.envelope import Envelope
from ..core.intake import Intake
from ..core.new_job import PreparedJob
from ..egress.named_files import NamedFiles
from ..http.body import off_loop
from ..http.media import read_media
from .messages import TaskBody, TaskCall, context_of

#: What a task may be given by name, beside the input.
_NAMES = (
    *("model", "version", "input", "request", "parameters", "answer"),
    *("priority", "timeout_s", "execution_timeout_s"),
)

#: What stands in the task's context for the form of its answer.
ANSWER = "wherry_answer"


class AnswerForm(StrEnum):
    """What a task's result is."""

    #: The task's Output, by its fields.
    OUTPUT = "output"
    #: The InferenceResponse.
    RESPONSE = "response"
    #: The job document, with the paths under which the answer lies.
    JOB = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A task's arguments, each as it should be."""

    model: str
    version: str | None
    #: The one or the other.
    input: dict[str, Any] | None
    request: dict[str, Any] | None
    #: The server's own.
    parameters: dict[str, Any]
    answer: AnswerForm


async def read_job(call: TaskCall, body: TaskBody, intake: Intake, who: Caller) -> PreparedJob:
    """Make the job that a task asks for, under the task's id. Raises what the intake raises."""
    asked = _asked(call, body)
    envelope, large = Envelope(who), call.is_large
    if asked.request is not None:
        document = {**asked.request, "id": call.id}
        parameters = {**(document.get("parameters") or {}), **asked.parameters}
        request = codec.request_of({**document, "parameters": parameters})
        prepared = await intake.make(
            request, asked.model, asked.version, envelope, large=large, use_id=True
        )
    else:
        declared = intake.catalog.get(asked.model, asked.version)
        _check_parameters(asked.parameters, declared.definition)
        reading = partial(_read_input, asked.input or {}, declared.definition)
        given = await intake.outbound.files.read(reading, in_thread=large)
        prepare = partial(_prepare, intake, given, declared, envelope, asked, call.id)
        prepared = await off_loop(prepare, large=large)
    context = context_of(call, {**body.following, ANSWER: asked.answer.value})
    job = replace(prepared.job, celery=context)
    if call.expires_s:  # no parameter: a message that comes twice is to be the same job
        by_ms = int(call.expires_s * 1000)
        job = replace(job, start_by_ms=min(job.start_by_ms or by_ms, by_ms))
    return replace(prepared, job=job)


def _prepare(
    intake: Intake,
    given: TaskInput,
    declared: ModelDeclaration,
    envelope: Envelope,
    asked: _Asked,
    task_id: str,
) -> PreparedJob:
    return intake.prepare_input(
        given, declared, envelope, parameters=asked.parameters, job_id=task_id
    )


def _asked(call: TaskCall, body: TaskBody) -> _Asked:
    """Raises InvalidRequest."""
    given = dict(body.kwargs)
    for name in given:
        if name not in _NAMES:
            raise InvalidRequest(f"unknown argument {name!r}{meant(name, _NAMES)}")
    if len(body.args) > 1 or (body.args and "input" in given):
        raise InvalidRequest("one positional argument at most, which is the input")
    if body.args:
        given["input"] = body.args[0]
    fields, request = given.get("input"), given.get("request")
    if (fields is None) == (request is None):
        raise InvalidRequest("give either `input`, the task's fields, or `request`, OIP's")
    for name in ("input", "request", "parameters"):
        if not isinstance(given.get(name), dict | None):
            raise InvalidRequest(f"{name}: expected an object")
    model, version = given.get("model"), given.get("version")
    if not isinstance(model, str) or not isinstance(version, str | None):
        raise InvalidRequest("model, version: expected texts, and a model is needed")
    form = given.get("answer", AnswerForm.OUTPUT if request is None else AnswerForm.RESPONSE)
    if form not in list(AnswerForm):
        raise InvalidRequest(f"answer: one of {', '.join(AnswerForm)}")
    return _Asked(
        model=model,
        version=version,
        input=fields,
        request=request,
        parameters=_parameters(call, given, request or {}),
        answer=AnswerForm(form),
    )


def _parameters(
    call: TaskCall, given: Mapping[str, Any], request: Mapping[str, Any]
) -> dict[str, Any]:
    """The server's parameters: named ones, then what Celery itself says. Raises InvalidRequest."""
    parameters = dict(given.get("parameters") or {})
    own = request.get("parameters")
    if not isinstance(own, dict | None):
        raise InvalidRequest("request.parameters: expected an object")
    for name, instead in ((WEBHOOK, "link a task"), (STREAM, "ask over HTTP")):
        if name in parameters or (own or {}).get(name):
            raise InvalidRequest(f"parameter {name}: is not for Celery's tasks; {instead}")
    if 1 <= call.priority <= 9:
        parameters[PRIORITY] = call.priority
    if "priority" in given:
        parameters[PRIORITY] = given["priority"]
    for name, parameter, scale in (
        ("timeout_s", TIMEOUT, 1_000_000),
        ("execution_timeout_s", EXECUTION_TIMEOUT, 1),
    ):
        value = given.get(name)
        if value is None:
            continue
        if type(value) not in (int, float) or not 0 < value <= 10**9:
            raise InvalidRequest(f"{name}: expected seconds, over 0")
        parameters[parameter] = math.ceil(value * scale) if scale > 1 else value
    if call.time_limit_s > 0:
        parameters.setdefault(EXECUTION_TIMEOUT, call.time_limit_s)
    return parameters


def _check_parameters(parameters: Mapping[str, Any], task: Task) -> None:
    """Raise InvalidRequest for one that is not the server's: an Output has no place for remarks."""
    for name in parameters:
        if name in SERVER_PARAMETERS:
            continue
        if name in task.input.model_fields:
            raise InvalidRequest(f"parameters.{name[:80]}: is the task's own; give it in `input`")
        raise InvalidRequest(f"parameters: {remarks([name], ())[0]}")


def _read_input(given: Mapping[str, Any], task: Task, files: NamedFiles) -> TaskInput:
    """A task's fields, files among them as bytes, base64, data URIs or URLs."""
    kinds = {spec.field for spec in task.inputs if spec.is_file}
    fields = {
        name: _files(value, name, files) if name in kinds else value
        for name, value in given.items()
    }
    return task.input.validated(fields)


def _files(value: Any, field: str, files: NamedFiles) -> Any:  # any JSON, and bytes
    if isinstance(value, list):
        return [_files(entry, f"{field}[{at}]", files) for at, entry in enumerate(value)]
    if value is None or isinstance(value, bytes):
        return value
    return read_media(value, field, files)
