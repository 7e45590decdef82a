"""From the answers of a job's rows to its response, as it is stored."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic_core import to_json

from ..protocol import codec, v2
from ..protocol.datatypes import Datatype
from ..protocol.errors import BackendError, InvalidRequest, InvalidTensor, RowError, WherryError
from ..protocol.parameters import ON_ROW_ERROR, row_errors, warnings
from ..tasks.base import Task, TaskOutput
from ..tasks.blanks import with_blanks
from .loaded_model import LoadedModel
from .reading import ReadRequest

R = TypeVar("R")
S = TypeVar("S")

#: Tensors of more elements, and files, are stored raw; smaller ones as JSON, ready to serve.
_JSON_MAX_ELEMENTS = 4096


def write(
    model: LoadedModel, job_id: str, read: ReadRequest, made: Sequence[TaskOutput | WherryError]
) -> tuple[bytes, int]:
    """A job's response, given an answer each of the rows that were read; and its JSON's length.

    Raises WherryError where the job fails with its rows.
    """
    name, request = model.declaration.name, read.request
    first = made[0] if len(made) == 1 else None
    if first and not isinstance(first, WherryError) and _is_plain(read, first):
        if body := None if request.outputs else _whole(model, job_id, first):
            return body, len(body)
        response = with_blanks(first.to_inference_response(name), model.task, read.rows)
    else:
        response = _of_rows(model, read, made)
    response = v2.InferenceResponse.made(
        model_name=name,
        model_version=model.declaration.version,
        id=job_id,
        parameters=response.parameters,
        outputs=response.outputs,
    )
    if request.outputs:
        optional = frozenset(spec.name for spec in model.task.outputs if spec.optional)
        response = codec.select_outputs(response, request.outputs, optional=optional)
    raw = [tensor.name for tensor in response.outputs if _is_heavy(tensor)]
    try:
        body, header_length = codec.encode_response(response, binary_names=raw)
    except InvalidTensor:
        # NaN, infinity and half floats have no JSON form; who asks for binary data can have them.
        body, header_length = codec.encode_response(response, binary=True)
    return body, header_length if header_length is not None else len(body)


def _whole(model: LoadedModel, job_id: str, answer: TaskOutput) -> bytes | None:
    """The response of one row that is one tensor, written in one step as `write` does it in all of
    its; None where that has another form.
    """
    spec = model.task.output.WHOLE
    if spec is None or answer.WHOLE is not spec:
        return None
    values = getattr(answer, spec.field)
    size = b""
    if len(spec.shape) > 1:
        size = b",%d" % len(values[0])
        if len(values[0]) > _JSON_MAX_ELEMENTS:
            return None
    data = to_json(values)
    if spec.datatype is not Datatype.BYTES and (b"N" in data or b"I" in data):
        return None  # NaN and infinity: only in these do numbers have letters
    declared = model.declaration
    before, named, sized, after = _frame(model.task, declared.name, declared.version)
    return b"".join((before, to_json(job_id), named, size, sized, data, after))


@functools.lru_cache(maxsize=1024)
def _frame(task: Task, name: str, version: str) -> tuple[bytes, bytes, bytes, bytes]:
    """A model's response of one row and tensor, around its id, the second axis, and the data."""
    spec = task.output.WHOLE
    assert spec is not None
    tensor = {"name": spec.name, "shape": [1, "<>"], "datatype": spec.datatype.value, "data": "<>"}
    whole = to_json({"model_name": name, "model_version": version, "id": "<>", "outputs": [tensor]})
    before, named, sized, after = re.split(rb',?"<>"', whole)  # no name has such
    return before, named, sized, after


def _is_plain(read: ReadRequest, answer: TaskOutput) -> bool:
    """Whether nothing is to be told beside the answer, as of nearly every job of one row."""
    return not (read.remarks or read.refused or answer.warning)


def _of_rows(
    model: LoadedModel, read: ReadRequest, made: Sequence[TaskOutput | WherryError]
) -> v2.InferenceResponse:
    answers = _in_places(read.places, made, read.refused)
    failed = {i: a for i, a in enumerate(answers) if isinstance(a, WherryError)}
    if failed and not _skips(read.request):
        raise _first_error(failed, len(answers))
    output = model.task.output
    joined = output.join([output.empty() if isinstance(a, WherryError) else a for a in answers])
    response = with_blanks(
        joined.to_inference_response(model.declaration.name),
        model.task,
        _in_places(read.places, read.rows, dict.fromkeys(read.refused)),
    )
    told = _response_parameters(read.remarks, answers)
    response.parameters = {**response.parameters, **told}
    return response


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
    data, elements = tensor.data, math.prod(tensor.shape)
    if not elements:  # nothing would follow the JSON, which then tells of raw data alone
        return False
    if not isinstance(data, list):
        return True
    if elements > _JSON_MAX_ELEMENTS:
        return True
    while data and isinstance(data[0], list):
        data = data[0]
    return bool(data) and isinstance(data[0], bytes)
