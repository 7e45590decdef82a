"""What every task is made of: an Input, an Output, and the row that says how to find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from . import cost
from .task_input import TaskInput
from .task_output import TaskOutput
from .tensors import TensorSpec

__all__ = [
    "FAMILIES",
    "Aliases",
    "Control",
    "Example",
    "Family",
    "ParameterSpec",
    "Renderer",
    "Task",
    "TaskInput",
    "TaskOutput",
    "Widget",
    "size_class",
]

Family = Literal["vision", "audio", "text", "multimodal"]

#: All families.
FAMILIES: tuple[Family, ...] = get_args(Family)


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
