"""The rows of a request that can be taken, where one at fault is not to sink its neighbours.

A client asks for that by `on_row_error: skip`. Rows at fault are not sent on: the job has the
others, and the errors of these by their places, for the worker to put into the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import prod
from typing import TypeVar

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidRequest, PayloadTooLarge, WherryError
from ...protocol.parameters import places_left
from ...tasks.base import Task, TaskInput
from ...tasks.tensors import ROW_LENGTHS

T = TypeVar("T")


def read_rows(
    request: v2.InferenceRequest, task: Task, most: int, read: Callable[[v2.InferenceRequest], T]
) -> tuple[list[T], dict[int, WherryError]]:
    """What `read` makes of a request's rows, each alone, and the errors of those that it refuses.

    Nothing for a request of one row, or of over `most`. Raises PayloadTooLarge: what is held to a
    limit here are all rows together.
    """
    whole = {spec.name for spec in task.inputs if spec.field not in task.input.ROWS}
    found: list[T] = []
    errors: dict[int, WherryError] = {}
    for number, row in enumerate(_rows(request, whole, most)):
        try:
            found.append(read(row))
        except PayloadTooLarge:
            raise
        except InvalidRequest as error:
            errors[number] = error
    return found, errors


def joined(rows: Sequence[TaskInput]) -> TaskInput:
    """Inputs of one row each, with the same fields, as one."""
    first = rows[0]
    fields = [field for field in first.ROWS if getattr(first, field) is not None]
    return first.model_copy(
        update={field: [getattr(row, field)[0] for row in rows] for field in fields}
    )


def affordable(
    inputs: TaskInput, task: Task, refused: Mapping[int, WherryError], *, skips: bool
) -> tuple[TaskInput, Mapping[int, WherryError]]:
    """Inputs less the rows that weigh too much, and these among the `refused` by their places.

    Raises PayloadTooLarge for one where rows are not skipped, or none would be left.
    """
    costs = inputs.costs()
    heavy = {row: cost for row, cost in enumerate(costs) if cost > task.max_row_cost}
    if not heavy:
        return inputs, refused
    allowed = f"{task.cost_unit}; {task.name} takes {task.max_row_cost} a row"
    if len(heavy) == len(costs) or not skips:
        row = max(heavy, key=heavy.__getitem__)
        raise PayloadTooLarge(f"row {row} has {heavy[row]} {allowed}")
    places = places_left(len(costs), refused)
    errors = {places[row]: PayloadTooLarge(f"{cost} {allowed}") for row, cost in heavy.items()}
    return _without(inputs, heavy), {**refused, **errors}


def _without(inputs: TaskInput, rows: Collection[int]) -> TaskInput:
    given = {field: values for field in inputs.ROWS if (values := getattr(inputs, field))}
    return inputs.model_copy(
        update={
            field: [value for row, value in enumerate(values) if row not in rows]
            for field, values in given.items()
        }
    )


def _rows(
    request: v2.InferenceRequest, whole: Collection[str], most: int
) -> Iterator[v2.InferenceRequest]:
    """Requests of one row each; a tensor of `whole`, or with one entry for all rows, is in each."""
    apart = [t for t in request.inputs if t.name not in whole and t.shape and t.shape[0] != 1]
    counts = {tensor.shape[0] for tensor in apart}
    if len(counts) != 1 or not 1 < max(counts) <= most:
        return
    count = counts.pop()
    parts = {tensor.name: _parts(tensor, count) for tensor in apart}
    for number in range(count):
        inputs = [parts[t.name][number] if t.name in parts else t for t in request.inputs]
        yield request.model_copy(update={"inputs": inputs})


def _parts(tensor: v2.RequestInput, count: int) -> list[v2.RequestInput]:
    """A tensor of each row."""
    if tensor.is_raw and tensor.datatype is not Datatype.BYTES:
        values: Sequence[object] = memoryview(tensor.data).cast("B")
        each = len(values) // count
    else:
        values, each = tensor.flat(), prod(tensor.shape[1:])
    shape, lengths = [1, *tensor.shape[1:]], str(tensor.parameters.get(ROW_LENGTHS, "")).split(",")
    parts = []
    for number in range(count):
        own = {ROW_LENGTHS: lengths[number]} if len(lengths) == count else {}
        data = values[number * each : (number + 1) * each]
        changed = {"shape": shape, "data": data, "parameters": {**tensor.parameters, **own}}
        parts.append(tensor.model_copy(update=changed))
    return parts
