"""What a task takes: a batch of rows, and the parameters that hold for all of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, ValidationError, model_validator
from pydantic_core import to_json

from ..protocol import v2
from ..protocol.elements import utf8_size
from ..protocol.errors import InvalidRequest
from ..protocol.first_fault import FirstFault
from ..protocol.parameters import remarks
from . import cost
from .tensors import TensorSpec


class TaskInput(FirstFault):
    """A batch of rows for one task, with the parameters that hold for all of them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    #: The tensors that fill fields; the other fields are request parameters.
    TENSORS: ClassVar[tuple[TensorSpec, ...]]
    #: Fields that hold one entry a row; one that may be missing is None then.
    ROWS: ClassVar[tuple[str, ...]]
    #: Fields of which each row fills one; all of them may be missing.
    ONE_OF: ClassVar[tuple[str, ...]] = ()
    #: The field whose row is an object of a table's cells: a table that has no column of its name
    #: fills it with all of them.
    RECORD: ClassVar[str] = ""

    @property
    def row_count(self) -> int:
        """How many rows."""
        return len(getattr(self, self.ROWS[0]))

    def rows(self) -> list[Self]:
        """One input a row."""
        if self.row_count == 1:
            return [self]
        return [self.row(number) for number in range(self.row_count)]

    def row(self, number: int) -> Self:
        """One of several rows."""
        given = {field: values for field in self.ROWS if (values := getattr(self, field))}
        return self.model_copy(update={field: [values[number]] for field, values in given.items()})

    def parts(self) -> Sequence[Self]:
        """What a model is given of one row: itself, or a row a page. Raises RowError."""
        return [self]

    @classmethod
    def batches_rows(cls) -> bool:
        """Whether the first axis of every tensor counts rows, which may be any requests'."""
        return all(spec.shape[0] == -1 and spec.field in cls.ROWS for spec in cls.TENSORS)

    def unread(self) -> str:
        """What of one row's files no model looks at, for a warning; "" for nothing."""
        return ""

    def binding(self) -> str:
        """The parameter that says what form answers must have, if there is one: a backend that does
        not follow forms is not asked.
        """
        return ""

    @classmethod
    @functools.cache  # asked for every request
    def cost_unit(cls) -> cost.Unit:
        """What rows are weighed in."""
        return cost.unit(spec.content for spec in cls.TENSORS)

    def costs(self) -> list[int]:
        """What each row weighs, in the unit that `tasks.cost.unit` tells: pixels, tokens, or ms."""
        kind = self.cost_unit()
        rate: int | None = getattr(self, "sample_rate", None)
        return [
            sum(cost.weigh(kind, spec.content, entry, rate) for spec, entry in self._entries(row))
            for row in range(self.row_count)
        ]

    def _entries(self, row: int) -> Iterator[tuple[TensorSpec, Any]]:
        for spec in self.TENSORS:
            values = getattr(self, spec.field)
            if values is not None:
                yield spec, values[row] if spec.field in self.ROWS else values

    @model_validator(mode="after")
    def _check_row_counts(self) -> Self:
        for field in self.ROWS[1:]:
            values = getattr(self, field)
            if values is not None and len(values) != self.row_count:
                raise ValueError(
                    f"{field}: expected {self.row_count} entries, as {self.ROWS[0]} has, "
                    f"got {len(values)}"
                )
        return self

    @model_validator(mode="after")
    def _check_unicode(self) -> Self:
        for name in self._text_fields():
            if not _is_unicode(getattr(self, name)):
                raise ValueError(f"{name}: half a surrogate pair is no Unicode text")
        return self

    @classmethod
    @functools.cache
    def _text_fields(cls) -> tuple[str, ...]:
        """The fields that may hold texts."""
        files = {spec.field for spec in cls.TENSORS if spec.content not in ("text", "json")}
        return tuple(name for name in cls.model_fields if name not in files)

    @classmethod
    @functools.cache  # read for every request
    def parameter_names(cls) -> tuple[str, ...]:
        """The fields that are request parameters."""
        tensors = {spec.field for spec in cls.TENSORS}
        return tuple(name for name in cls.model_fields if name not in tensors)

    def to_inference_request(self) -> v2.InferenceRequest:
        """Write as an OIP v2 request. Fields that are None are left out."""
        values = {name: getattr(self, name) for name in self.parameter_names()}
        return v2.InferenceRequest.made(
            id=None,
            outputs=None,
            inputs=[
                spec.write(value)
                for spec in self.TENSORS
                if (value := getattr(self, spec.field)) is not None
            ],
            parameters={name: value for name, value in values.items() if value is not None},
        )

    @classmethod
    def as_declared(cls, request: v2.InferenceRequest) -> v2.InferenceRequest:
        """A request in the declared tensors; a task that takes other forms turns them into those.

        Raises InvalidRequest.
        """
        return request

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
        given = {tensor.name for tensor in request.inputs}
        for spec in cls.TENSORS:
            if spec.name in given or not spec.optional:
                fields[spec.field] = spec.read(request.input(spec.name))
        return cls.validated(fields)

    @classmethod
    def validated(cls, fields: Mapping[str, Any]) -> Self:
        """Build from fields. Raises InvalidRequest instead of pydantic's error."""
        try:
            return cls(**fields)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            odd = [str(fault["loc"][0]) for fault in found if fault["type"] == "extra_forbidden"]
            told = "; ".join(remarks(odd, cls.model_fields))
            raise InvalidRequest(told or v2.describe(error)) from None


_NO_TEXT = frozenset({bool, int, float})


def _is_unicode(value: object) -> bool:
    """Whether all texts in a value can be told in UTF-8: in Python and in JSON there are others,
    and tokenizers fail on them.
    """
    if value is None or type(value) in _NO_TEXT:
        return True
    values: list[object] = value if type(value) is list else [value]
    texts = [text for text in values if isinstance(text, str)]
    try:
        if len(texts) == len(values):
            # In pieces: pydantic would write all of it, and have each text keep its UTF-8 besides.
            return all(utf8_size(text) >= 0 for text in texts)
        to_json(value, bytes_mode="base64", serialize_unknown=True)
    except ValueError:
        return False
    return True
