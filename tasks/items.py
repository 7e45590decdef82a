"""Answers that are a list of items a row: one attribute of the items, one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from ..protocol import v2
from ..protocol.datatypes import Datatype
from .base import TaskOutput
from .tensors import TensorSpec, padded, unpadded


class ItemsOutput(TaskOutput):
    """Answers that are a list of items a row: labels, boxes, spans.

    Each tensor holds one attribute of the items, the one of its name, [n, m] with shorter rows
    padded. An attribute that is a model itself (a box) has its fields as the third dimension.
    """

    #: The items' class, and the tensors in the order in which they are sent.
    ITEM: ClassVar[type[BaseModel]]
    TENSORS: ClassVar[tuple[TensorSpec, ...]]

    @classmethod
    def empty(cls) -> Self:
        """Nothing found."""
        return cls.model_validate({cls.ROWS[0]: [[]]})

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A tensor per attribute."""
        rows: list[list[Any]] = getattr(self, self.ROWS[0])
        return v2.InferenceResponse.of(
            model_name, [_attribute(spec, rows) for spec in self.TENSORS]
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the tensors, without the padding."""
        given = {tensor.name for tensor in response.outputs}
        # A worker of an older release leaves out what is new.
        specs = [spec for spec in cls.TENSORS if spec.name in given or not spec.optional]
        columns = [
            unpadded(response.output(spec.name), width=_width(spec), files=spec.is_file)
            for spec in specs
        ]
        for at, spec in enumerate(specs):
            if _width(spec) > 1:
                columns[at] = [_nested(cls.ITEM, spec.name, row) for row in columns[at]]
        names = [spec.name for spec in specs]
        # All at once: to validate item by item takes three times as long.
        rows = [
            [dict(zip(names, values, strict=True)) for values in zip(*row, strict=True)]
            for row in zip(*columns, strict=True)
        ]
        return cls.model_validate({cls.ROWS[0]: rows})


def _width(spec: TensorSpec) -> int:
    return spec.shape[2] if len(spec.shape) == 3 else 1


def _attribute(spec: TensorSpec, rows: list[list[Any]]) -> v2.ResponseOutput:
    values = [[getattr(item, spec.name) for item in row] for row in rows]
    if _width(spec) > 1:
        fields = [[list(value.model_dump().values()) for value in row] for row in values]
        return padded(spec, fields, [0.0] * _width(spec), width=_width(spec))
    if spec.datatype is Datatype.BYTES:
        return padded(spec, values, b"" if spec.is_file else "")
    return padded(spec, values, 0.0 if spec.datatype in (Datatype.FP32, Datatype.FP64) else 0)


def _nested(item: type[BaseModel], name: str, row: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    cls: Any = item.model_fields[name].annotation
    return [dict(zip(cls.model_fields, values, strict=True)) for values in row]
