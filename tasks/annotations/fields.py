"""What a task's answer holds, row by row, as files of annotations have it.

An Output's field keeps its name where it lists items (`detections`). A field that one tensor fills
with a value a row has that tensor's name (`texts` -> `text`), and one that holds a model per row is
unpacked (`text`, `finish_reason`, ...).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, is_typeddict

from pydantic import BaseModel

from ..base import Task

#: Tensors and fields of items that hold masks.
MASK = "mask"


@dataclass(frozen=True, slots=True)
class OutputField:
    """A field of an Output, as it stands in records."""

    field: str
    #: "" where its model's fields stand there themselves.
    name: str
    #: One row's type.
    kind: Any

    @property
    def item(self) -> type[BaseModel] | None:
        """The model that a row has a list of, if it does."""
        return model_in(element(self.kind))


@functools.cache
def entries(task: Task) -> tuple[OutputField, ...]:
    """What a record of the task holds after its head."""
    return tuple(_entry(task, field) for field in task.output.contents())


def bare(kind: Any) -> Any:
    """A type without its None."""
    parts = [part for part in get_args(kind) if part is not NoneType]
    return parts[0] if len(parts) == 1 and get_origin(kind) in (UnionType, Union) else kind


def element(kind: Any) -> Any:
    """What a list holds; None for what is no list."""
    kind = bare(kind)
    return get_args(kind)[0] if get_origin(kind) is list else None


def is_json(kind: Any) -> bool:
    """Whether its values are objects, or tuples, whose fields no column can declare."""
    kind = bare(kind)
    return kind is Any or get_origin(kind) in (dict, tuple) or is_typeddict(kind)


def model_in(kind: Any) -> type[BaseModel] | None:
    """The type, where it is a model's."""
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def files_in(task: Task) -> bool:
    """Whether its answers hold files other than masks."""
    return any(spec.is_file and spec.name != MASK for spec in task.outputs)


def masks_in(task: Task) -> bool:
    """Whether its answers hold masks."""
    return any(spec.is_file and spec.name == MASK for spec in task.outputs)


def _entry(task: Task, field: str) -> OutputField:
    kind = element(task.output.model_fields[field].annotation)
    specs = [spec.name for spec in task.outputs if spec.field == field]
    name = specs[0] if len(specs) == 1 else field
    entry = OutputField(field, field if field in specs else name, kind)
    if entry.item is not None:
        return replace(entry, name=field)
    if model_in(kind) is not None and field not in specs:
        return replace(entry, name="")
    return entry
