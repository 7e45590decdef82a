"""What every task is made of: an Input, an Output, and the row that says how to find them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..protocol import v2
from ..protocol.errors import InvalidRequest
from .tensors import TensorSpec

Family = Literal["vision", "audio", "text", "multimodal"]


class TaskInput(BaseModel):
    """A batch of rows for one task, with the parameters that hold for all of them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    #: The tensors that fill fields; the other fields are request parameters.
    TENSORS: ClassVar[tuple[TensorSpec, ...]]
    #: Fields that hold one entry a row.
    ROWS: ClassVar[tuple[str, ...]]

    @property
    def row_count(self) -> int:
        """How many rows."""
        return len(getattr(self, self.ROWS[0]))

    def rows(self) -> list[Self]:
        """One input a row."""
        if self.row_count == 1:
            return [self]
        return [
            self.model_copy(update={field: [getattr(self, field)[row]] for field in self.ROWS})
            for row in range(self.row_count)
        ]

    def cost(self) -> int:
        """What the rows weigh in a batch: their characters or bytes."""
        return sum(len(entry) for field in self.ROWS for entry in getattr(self, field))

    @classmethod
    @functools.cache  # read for every request
    def parameter_names(cls) -> tuple[str, ...]:
        """The fields that are request parameters."""
        tensors = {spec.field for spec in cls.TENSORS}
        return tuple(name for name in cls.model_fields if name not in tensors)

    def to_inference_request(self) -> v2.InferenceRequest:
        """Write as an OIP v2 request. Parameters that are None are left out."""
        values = {name: getattr(self, name) for name in self.parameter_names()}
        return v2.InferenceRequest(
            inputs=[self._tensor(spec) for spec in self.TENSORS],
            parameters={name: value for name, value in values.items() if value is not None},
        )

    def _tensor(self, spec: TensorSpec) -> v2.RequestInput:
        data = list(getattr(self, spec.field))
        return v2.RequestInput(name=spec.name, shape=[len(data)], datatype=spec.datatype, data=data)

    @classmethod
    def from_inference_request(cls, request: v2.InferenceRequest) -> Self:
        """Read from an OIP v2 request. Raises InvalidRequest that names the field.

        Parameters that the task does not know are left alone: they may be the server's.
        """
        fields: dict[str, Any] = {
            name: request.parameters[name]
            for name in cls.parameter_names()
            if name in request.parameters
        }
        for spec in cls.TENSORS:
            tensor = request.input(spec.name)
            fields[spec.field] = tensor.blobs() if spec.is_file else tensor.texts()
        return cls.validated(fields)

    @classmethod
    def validated(cls, fields: Mapping[str, Any]) -> Self:
        """Build from fields. Raises InvalidRequest instead of pydantic's error."""
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InvalidRequest(v2.describe(error)) from None


class TaskOutput(BaseModel, ABC):
    """The answers to a batch of rows."""

    model_config = ConfigDict(frozen=True)

    #: Fields that hold one entry a row.
    ROWS: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def empty(cls) -> Self:
        """The answer of one row that failed: nothing found."""

    @abstractmethod
    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """Write as an OIP v2 response."""

    @classmethod
    @abstractmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read from an OIP v2 response. Raises InvalidRequest when a tensor is missing."""

    def rows(self) -> list[Self]:
        """One output a row."""
        count = len(getattr(self, self.ROWS[0]))
        return [
            self.model_copy(update={field: [getattr(self, field)[row]] for field in self.ROWS})
            for row in range(count)
        ]

    @classmethod
    def join(cls, rows: Sequence[Self]) -> Self:
        """One output of many rows; fields that hold no rows are the first's."""
        if len(rows) == 1:
            return rows[0]
        first = rows[0] if rows else cls.empty()
        return first.model_copy(
            update={
                field: [entry for row in rows for entry in getattr(row, field)]
                for field in cls.ROWS
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """A request parameter as JSON Schema tells it."""

    name: str
    schema: Mapping[str, Any]  # JSON Schema


# Tasks are singletons: to hash one by all its fields would cost more than to read a request.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A declared task: the one place that says what it takes and gives."""

    name: str
    family: Family
    title: str
    description: str
    input: type[TaskInput]
    output: type[TaskOutput]
    outputs: tuple[TensorSpec, ...]
    #: Parameters that jobs must share to run in one batch.
    group_by: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The input tensors."""
        return self.input.TENSORS

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The request parameters, as the Input declares them."""
        properties = self.input.model_json_schema()["properties"]
        return tuple(
            ParameterSpec(name=name, schema=properties[name])
            for name in self.input.parameter_names()
        )
