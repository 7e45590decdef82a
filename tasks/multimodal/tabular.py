"""Rows of a table, as models of scikit-learn take them: what tabular tasks have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidRequest
from ..base import TaskInput
from ..tensors import TensorSpec

ROW = TensorSpec("row", Datatype.BYTES, (-1,), "records", "json")

#: A table's cells in one row, a handful of bytes each.
MAX_CELLS = 100_000

#: MLServer's content type of a request whose tensors are a data frame's columns.
_DATA_FRAME = "pd"

TableCell = str | bool | int | Annotated[float, Field(allow_inf_nan=False)] | None


class TabularInput(TaskInput):
    """Rows of a table: an object of cells by their columns' names, or a list in the columns' order.

    Null is a missing value. A request may hold columns instead, a tensor [n] or [n, 1] each under
    its column's name, or one matrix [n, columns] of numbers under any name.
    """

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (ROW,)
    ROWS: ClassVar[tuple[str, ...]] = ("records",)
    RECORD: ClassVar[str] = "records"

    records: list[dict[str, TableCell] | list[TableCell]] = Field(
        min_length=1,
        description="Rows: cells by their columns' names, or all in the columns' order.",
    )

    @classmethod
    def as_declared(cls, request: v2.InferenceRequest) -> v2.InferenceRequest:
        """Columns, or a matrix, as rows. Raises InvalidRequest where they are no table."""
        tensors = request.inputs
        if any(tensor.name == ROW.name and tensor.datatype is Datatype.BYTES for tensor in tensors):
            return request
        seen: set[str] = set()
        for tensor in tensors:
            if tensor.name in seen:
                raise InvalidRequest(f"input {tensor.name!r} is given twice")
            seen.add(tensor.name)
            tensor.check()
        frame = _DATA_FRAME in (
            request.parameters.get(v2.CONTENT_TYPE),
            *(tensor.parameters.get(v2.CONTENT_TYPE) for tensor in tensors),
        )
        if len(tensors) == 1 and len(tensors[0].shape) == 2 and not frame:
            records: list[Any] = _matrix(tensors[0])
        else:
            records = records_of({tensor.name: _column(tensor) for tensor in tensors})
        return request.model_copy(update={"inputs": [ROW.write(records)]})

    @classmethod
    def from_inference_request(cls, request: v2.InferenceRequest) -> Self:
        """Read rows, columns or a matrix. Raises InvalidRequest that names the field."""
        return super().from_inference_request(cls.as_declared(request))


def records_of(columns: dict[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The rows of columns. Raises InvalidRequest where they differ in length."""
    lengths = {name: len(values) for name, values in columns.items()}
    first = next(iter(lengths), "")
    for name, length in lengths.items():
        if length != lengths[first]:
            raise InvalidRequest(
                f"column {name!r} has {length} rows, and column {first!r} has {lengths[first]}"
            )
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _matrix(tensor: v2.Tensor) -> list[list[Any]]:
    rows, width = tensor.shape
    cells = _cells(tensor)
    return [cells[row * width : (row + 1) * width] for row in range(rows)]


def _column(tensor: v2.Tensor) -> list[Any]:
    if len(tensor.shape) != 1 and tensor.shape[1:] != [1]:
        raise InvalidRequest(
            f"tensor {tensor.name!r}: a column has the shape [n] or [n, 1], got {tensor.shape}"
        )
    return _cells(tensor)


def _cells(tensor: v2.Tensor) -> list[Any]:
    """Values; what is no number in a tensor of floats is a missing one."""
    if tensor.datatype is Datatype.BYTES:
        return tensor.texts()
    values = list(tensor.flat())
    if any(isinstance(value, float) and math.isinf(value) for value in values):
        raise InvalidRequest(f"tensor {tensor.name!r}: infinity is no value of a cell")
    return [None if value != value else value for value in values]  # NaN
