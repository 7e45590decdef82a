"""What a task gives: the answers to a batch of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from ..protocol import v2
from ..protocol.parameters import WARNING, warnings
from ..protocol.unchecked import unchecked
from .task_input import TaskInput
from .tensors import TensorSpec

#: Past the model's own, which refuses.
_set = object.__setattr__


AnOutput = TypeVar("AnOutput", bound="TaskOutput")


def _made(like: AnOutput, fields: dict[str, Any]) -> AnOutput:
    """What `model_copy` makes of a whole set of fields, in a fifth of its time."""
    copy, private = like.__class__.__new__(like.__class__), like.__pydantic_private__
    _set(copy, "__dict__", fields)
    _set(copy, "__pydantic_fields_set__", set(fields))
    _set(copy, "__pydantic_extra__", like.__pydantic_extra__)
    _set(copy, "__pydantic_private__", None if private is None else dict(private))
    return copy


class TaskOutput(BaseModel, ABC):
    """The answers to a batch of rows."""

    model_config = ConfigDict(frozen=True)

    #: Fields that hold one entry a row.
    ROWS: ClassVar[tuple[str, ...]]
    #: Those of them that are for the next request, not about the row.
    ASIDE: ClassVar[tuple[str, ...]] = ()
    #: The tensor that is all that a response tells, where it is one of texts or numbers: [n], or
    #: [n, m] of a list a row.
    WHOLE: ClassVar[TensorSpec | None] = None

    _warning: str = PrivateAttr(default="")

    @classmethod
    def contents(cls) -> tuple[str, ...]:
        """The fields that tell of a row, as people keep it."""
        return tuple(field for field in cls.ROWS if field not in cls.ASIDE)

    @property
    def warning(self) -> str:
        """What is to be told beside the answers; "" for nothing.

        Of a row that a backend answers it becomes the response's, that of a response is its own.
        """
        # Read of every row: pydantic's own way to a private attribute takes ten times as long.
        private = self.__pydantic_private__
        return private["_warning"] if private else ""

    @classmethod
    def made(cls, **fields: Any) -> Self:  # each field's own type, unchecked
        """Answers of values that are known to fit, all fields given: nothing looks at them."""
        return unchecked(cls, fields, {"_warning": ""})

    def warned(self, warning: str) -> Self:
        """The same answers with a warning."""
        copy = self.model_copy()
        copy._warning = warning  # noqa: SLF001 # of its own kind
        return copy

    def response(self, model_name: str) -> v2.InferenceResponse:
        """Write as an OIP v2 response, with the warning."""
        response = self.to_inference_response(model_name)
        if self.warning:
            response.parameters = {**response.parameters, WARNING: self.warning}
        return response

    @classmethod
    def of(cls, response: v2.InferenceResponse) -> Self:
        """Read from an OIP v2 response, with its warning. Raises InvalidRequest."""
        output, warning = cls.from_inference_response(response), response.parameters.get(WARNING)
        return output.warned(str(warning)) if warning else output

    @classmethod
    def of_parts(cls, answers: Sequence[Any], row: TaskInput) -> Self:  # noqa: ARG003 # for documents
        """The answer of a row that was given in parts, given those of its own kind."""
        whole: Self
        (whole,) = answers
        return whole

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
        # A warning of several rows says itself of which.
        whole = self.warned("") if self.warning and count > 1 else self
        columns = [(field, getattr(self, field)) for field in self.ROWS]
        shared = whole.__dict__
        return [
            _made(whole, {**shared, **{field: [values[row]] for field, values in columns}})
            for row in range(count)
        ]

    @classmethod
    def join(cls, rows: Sequence[Self]) -> Self:
        """One output of many rows; fields that hold no rows are the first's."""
        if len(rows) == 1:
            return rows[0]
        first = rows[0] if rows else cls.empty()
        joined = first.model_copy(
            update={
                field: [entry for row in rows for entry in getattr(row, field)]
                for field in cls.ROWS
            }
        )
        notes = {number: row.warning for number, row in enumerate(rows) if row.warning}
        return joined.warned(warnings([], notes, len(rows))[WARNING]) if notes else joined
