"""Inputs that all rows share: one prompt for a whole folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...tasks.base import Task
from ...tasks.tensors import TensorSpec
from ..errors import UsageError
from .rows import SourceRow, UnreadableRow
from .sources.base import Source


def constants_of(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    """Field of the task's Input -> what all rows share of it. Raises UsageError.

    `given` is by the input's name or field: text as it is, other values themselves or as JSON.
    """
    by_name = {name: spec for spec in task.inputs for name in (spec.field, spec.name)}
    constants = {}
    for name, value in given.items():
        if name not in by_name:
            fit = ", ".join(spec.name for spec in task.inputs)
            raise UsageError(f"input {name}: {task.name} has no such input: {fit}")
        constants[by_name[name].field] = _value(task, by_name[name], name, value)
    return constants


def _value(task: Task, spec: TensorSpec, name: str, value: Any) -> Any:
    if spec.is_file:
        raise UsageError(f"input {name}: files are what the source has; share texts or JSON")
    is_list = not spec.is_scalar and spec.field not in task.input.ROWS
    if spec.content == "text" and not is_list:
        if not isinstance(value, str):
            raise UsageError(f"input {name}: expected text, got {type(value).__name__}")
        return value
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise UsageError(f"input {name}: {value!r} is not JSON") from None


class SharedInputs(Source):
    """A source's rows, each with what all of them share."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.task, source.columns)
        self._source, self.left_out = source, source.left_out

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self.each(1)

    def each(self, step: int) -> Iterator[SourceRow | UnreadableRow]:
        """The source's own, with what is shared."""
        shared = self.columns.constants
        for row in self._source.each(step):
            if isinstance(row, SourceRow):
                yield replace(row, values={**row.values, **shared})
            else:
                yield row

    def count(self) -> int | None:
        """The source's own rows."""
        return self._source.count()
