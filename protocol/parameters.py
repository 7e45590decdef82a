"""Request parameters: the server's own, and what to say of those that nobody reads."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .errors import BackendError, WherryError, from_code
from .nearest import meant
from .v2 import CONTENT_TYPE, InferenceRequest, RequestOutput, Tensor

PRIORITY, TIMEOUT, ON_ROW_ERROR = "priority", "timeout", "on_row_error"

#: The least `timeout` that is heeded: the queue counts milliseconds, and tritony sends its seconds.
LEAST_TIMEOUT_US = 1000

#: Seconds that an attempt may run; Triton's `timeout` is about the time to start.
EXECUTION_TIMEOUT = "execution_timeout_s"

#: The wish for all outputs in binary: about one answer, not about the work.
BINARY_OUTPUT = "binary_data_output"

#: The wish to hear tokens while they are made, where the model makes some.
STREAM = "stream"

#: The wish for a call at the job's end: about who hears of it, not about the work.
WEBHOOK = "webhook"

#: What any task may be sent. The content type of a whole request is MLServer's hint.
SERVER_PARAMETERS = frozenset(
    {
        PRIORITY,
        TIMEOUT,
        EXECUTION_TIMEOUT,
        ON_ROW_ERROR,
        STREAM,
        WEBHOOK,
        BINARY_OUTPUT,
        CONTENT_TYPE,
    }
)

#: What a tensor may be sent with, and asked for with.
_OF_INPUTS = frozenset({CONTENT_TYPE, "binary_data_size", "row_lengths"})
_OF_OUTPUTS = frozenset({CONTENT_TYPE, "binary_data_size", "binary_data"})

#: Response parameters: what of a request was not understood or not read, as one text; and what is
#: to be told of single rows, a JSON object by their numbers.
WARNING, ROW_WARNINGS = "warning", "row_warnings"

#: Response parameter: errors of single rows, a JSON object by their numbers. Of a request that the
#: API makes for a worker it tells the rows that it has refused itself, and sends no further.
ROW_ERRORS = "row_errors"

#: Parameters and rows remarked on, and characters shown of each: an answer must not grow with
#: nonsense.
_MOST, _SHOWN = 8, 60


def remarks(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """A remark on each parameter that neither the server nor the task, which knows `known`, reads.

    It suggests the nearest name there is.
    """
    names = _with_servers(tuple(known))
    odd = [name[:_SHOWN] for name in given if name not in names]
    return [_remark(name, names) for name in odd[:_MOST]]


@functools.lru_cache(maxsize=256)  # asked for every request, of as many sets as there are tasks
def _with_servers(known: tuple[str, ...]) -> frozenset[str]:
    return SERVER_PARAMETERS.union(known)


def odd_of_inputs(tensors: Iterable[Tensor]) -> dict[str, dict[str, bool]]:
    """By input, the names of parameters that nobody reads, so that others can remark on them."""
    return _odd(tensors, _OF_INPUTS)


def odd_of_outputs(tensors: Iterable[RequestOutput]) -> dict[str, dict[str, bool]]:
    """The same of the outputs asked for."""
    return _odd(tensors, _OF_OUTPUTS)


def _odd(
    tensors: Iterable[Tensor | RequestOutput], known: frozenset[str]
) -> dict[str, dict[str, bool]]:
    return {
        tensor.name: {name[:_SHOWN]: True for name in odd[:_MOST]}
        for tensor in tensors
        if tensor.parameters
        and (odd := [n for n, v in tensor.parameters.items() if n not in known and v is not None])
    }


def remarks_on(request: InferenceRequest, known: Iterable[str]) -> list[str]:
    """`remarks` on a request's parameters, and on those of its tensors."""
    names = _with_servers(tuple(known))
    given = request.parameters.get(TIMEOUT, 0)
    is_short = type(given) is int and 0 < given < LEAST_TIMEOUT_US
    if (
        not is_short
        and names.issuperset(request.parameters)
        and not request.outputs
        and not any(tensor.parameters for tensor in request.inputs)
    ):  # as nearly always
        return []
    odd = remarks(request.parameters, names)
    if is_short:
        odd.insert(0, f"parameter {TIMEOUT}: {given} µs are too few for a queue, and not heeded")
    for what, tensors, names in (
        ("input", odd_of_inputs(request.inputs), _OF_INPUTS),
        ("output", odd_of_outputs(request.outputs or ()), _OF_OUTPUTS),
    ):
        for tensor, found in tensors.items():
            odd += [f"{what} {tensor[:_SHOWN]!r}: {_remark(name, names)}" for name in found]
    return odd[:_MOST]


def warnings(remarks: Sequence[str], notes: Mapping[int, str], rows: int) -> dict[str, str]:
    """The response parameters that tell `remarks` on a request and `notes` on some of its rows."""
    if not remarks and not notes:
        return {}
    told = [note if rows == 1 else f"row {row}: {note}" for row, note in notes.items()]
    if len(told) > _MOST:
        told[_MOST:] = [f"and {len(told) - _MOST} more of {rows} rows"]
    found = {WARNING: "; ".join([*remarks, *told])} if remarks or told else {}
    return {**found, ROW_WARNINGS: json.dumps(notes)} if notes else found


def row_errors(errors: Mapping[int, WherryError]) -> dict[str, str]:
    """The parameter that tells the errors of some rows; none where there are none."""
    told = {row: {"error": e.message, "error_type": e.code} for row, e in sorted(errors.items())}
    return {ROW_ERRORS: json.dumps(told)} if told else {}


def errors_told(parameters: Mapping[str, Any]) -> dict[int, WherryError]:
    """The errors that `row_errors` wrote, by their rows."""
    written = parameters.get(ROW_ERRORS)
    if not written:  # as nearly always
        return {}
    told: dict[str, dict[str, str]] = json.loads(written)
    return {
        int(row): from_code(error.get("error_type", BackendError.code), error.get("error", ""))
        for row, error in told.items()
    }


def places_left(count: int, refused: Collection[int]) -> list[int]:
    """Where in a request each of `count` rows is, once those at the places `refused` are gone."""
    return [place for place in range(count + len(refused)) if place not in refused]


def _remark(name: str, names: Iterable[str]) -> str:
    return f"unknown parameter {name!r}{meant(name, names, ', ')}"
