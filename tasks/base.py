"""What every task is made of: an Input, an Output, and the row that says how to find them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator
from pydantic_core import to_json

from ..protocol import v2
from ..protocol.errors import InvalidRequest
from ..protocol.first_fault import FirstFault
from ..protocol.parameters import WARNING, remarks, warnings
from ..protocol.unchecked import unchecked
from . import cost
from .tensors import TensorSpec

Family = Literal["vision", "audio", "text", "multimodal"]

#: All families.
FAMILIES: tuple[Family, ...] = get_args(Family)


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


def _is_unicode(value: object) -> bool:
    """Whether all texts in a value can be told in UTF-8: in Python and in JSON there are others,
    and tokenizers fail on them.
    """
    if value is None or type(value) in _NO_TEXT:
        return True
    texts = value if type(value) is list else [value]
    if all(type(text) is str and text.isascii() for text in texts):
        return True
    try:
        to_json(value, bytes_mode="base64", serialize_unknown=True)
    except ValueError:
        return False
    return True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """A request parameter as JSON Schema tells it."""

    name: str
    schema: Mapping[str, Any]  # JSON Schema


#: How an answer is shown to people.
Renderer = Literal[
    "audio",
    "boxes",
    "chat",
    "depth",
    "image",
    "images",
    "json",
    "keypoints",
    "labels",
    "masks",
    "matches",
    "scores",
    "series",
    "spans",
    "table",
    "text",
    "transcript",
    "vector",
]

#: What people give an input with.
Control = Literal[
    "audio",
    "boxes",  # drawn on the picture of the same request
    "chat",
    "frames",  # on which picture of several each prompt is
    "image",
    "images",
    "json",
    "labels",
    "objects",  # which object each prompt is for
    "point-labels",  # whether each point is on its object or beside it
    "points",  # set on the picture of the same request
    "record",  # a table's row: cells by their columns
    "series",  # numbers one after the other
    "table",
    "text",
    "texts",
]


@dataclass(frozen=True, slots=True)
class Widget:
    """How a page offers a task: a control per input tensor, and what shows the answer."""

    controls: tuple[Control, ...]
    renderer: Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """What other systems call the task; empty where they have no such thing."""

    huggingface: tuple[str, ...] = ()
    instill: str = ""
    pixano: tuple[str, ...] = ()
    #: Other names of our own, which models.toml takes, too.
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A golden example: an input and the answer it should get, shown in the docs and tested."""

    input: TaskInput
    output: TaskOutput


#: The largest of the smallest size, as a power of four: what is shorter is over soon.
_SMALL = 3


def size_class(number: int) -> int:
    """Which power of four bounds a number: up to 64 are of one size, 65 to 256, 257 to 1024."""
    return max(_SMALL, -(-max(0, number - 1).bit_length() // 2))


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
    #: A hub id for the transformers backend; "" where a model must be named.
    default_model: str
    example: Example
    widget: Widget
    aliases: Aliases
    #: The most one row may weigh, in `cost_unit`.
    max_row_cost: int
    #: Parameters that jobs must share to run in one batch.
    group_by: tuple[str, ...] = ()
    #: Others that one forward of most backends has one value of, and that each row has by itself
    #: with a backend that says so (`Backend.rows_have_own`).
    own: tuple[str, ...] = ()
    #: Numbers among `own` that are of one size in a batch (`size_class`).
    of_one_size: tuple[str, ...] = ()
    #: Of a task whose tensors are each model's own: from what a model turned out to be to a task
    #: that declares them; this one again while that is not known.
    of_model: Callable[[Mapping[str, Any]], Task] | None = None
    #: The task that such a one was made of, whose tensors its models take and give as well.
    of_any_model: Task | None = None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The input tensors."""
        return self.input.TENSORS

    @property
    def cost_unit(self) -> cost.Unit:
        """What rows are weighed in."""
        return self.input.cost_unit()

    def apart(self, given: Mapping[str, Any], *, mixed: bool) -> dict[str, Any]:
        """What keeps jobs apart of the parameters given; `mixed` where each may have its own."""
        if not mixed:
            return {name: given[name] for name in (*self.group_by, *self.own) if name in given}
        shared = {name: given[name] for name in self.group_by if name in given}
        sizes = {name: size_class(given[name]) for name in self.of_one_size if name in given}
        return {**shared, **sizes}

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The request parameters, as the Input declares them."""
        properties = self.input.model_json_schema()["properties"]
        return tuple(
            ParameterSpec(name=name, schema=properties[name])
            for name in self.input.parameter_names()
        )
