"""What all rows share: the task's parameters, and inputs, such as one prompt for a whole folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from ...protocol.nearest import meant
from ...tasks.base import Task
from ...tasks.tensors import TensorSpec
from ..errors import UsageError
from .rows import SourceRow, UnreadableRow
from .sources.base import Source
from .sources.parts import Part
from .sources.walking import FoundFile

#: Characters shown of a value that is refused.
_SHOWN = 100


def shared_by_all(
    task: Task, parameters: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Field of the task's Input -> what all rows have in it.

    Raises UsageError for what no row could be sent with, whatever it holds.
    """
    # Inputs that are no rows, such as candidate_labels, may be given like parameters too.
    whole = [spec for spec in task.inputs if spec.field not in task.input.ROWS]
    known = (*task.input.parameter_names(), *(spec.field for spec in whole))
    for name in parameters:
        if name not in known:
            fit = ", ".join(known) or "none"
            raise UsageError(
                f"param {name}: {task.name} has no such parameter: {fit}{meant(name, known)}"
            )
    shared = {**parameters}
    for field, value in constants_of(task, inputs).items():
        if field in shared:
            raise UsageError(f"{field} is given twice: as a parameter and as an input")
        shared[field] = value
    for spec in whole:
        if not spec.optional and spec.field not in shared:
            raise UsageError(
                f"{task.name} needs {spec.name}, the same for all rows: --input {spec.name}=..."
            )
    _refuse_values(task, shared)
    return shared


def _refuse_values(task: Task, shared: Mapping[str, Any]) -> None:
    """Raise UsageError for a value that the Input does not take, seen beside an example's row."""
    rows, row = task.input.ROWS, task.example.input.rows()[0]
    given = {name: [value] if name in rows else value for name, value in shared.items()}
    try:
        task.input(**{field: getattr(row, field) for field in rows} | given)
    except ValidationError as error:
        # What is wrong with several fields together may be due to the example's row.
        whole = not rows_among(task, shared)
        for fault in error.errors(include_url=False, include_context=False):
            if fault["loc"] and fault["loc"][0] in given:
                raise UsageError(
                    _fault_line(task, fault["loc"], fault["input"], fault["msg"])
                ) from None
            if whole:
                raise UsageError(f"param {fault['msg'].removeprefix('Value error, ')}") from None


def _fault_line(task: Task, place: tuple[int | str, ...], value: object, fault: str) -> str:
    """A fault as a line: what it is of, what was given, and what may be."""
    field, *inner = place
    inputs = {spec.field: spec.name for spec in task.inputs}
    name = f"input {inputs[str(field)]}" if field in inputs else f"param {field}"
    if field in task.input.ROWS:
        inner = inner[1:]  # the example's own row
    name += "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner)
    shown = f"{value!r:.{_SHOWN}}"
    if fault.startswith("Input "):
        return f"{name}: {shown} {fault.removeprefix('Input ')}"
    return f"{name}: {shown}: {fault.removeprefix('Value error, ')}"


def rows_among(task: Task, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Of what all rows share, that which stands in each of them."""
    return {field: value for field, value in shared.items() if field in task.input.ROWS}


def constants_of(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    """Field of the task's Input -> what all rows share of it. Raises UsageError.

    `given` is by the input's name or field: text as it is, other values themselves or as JSON.
    """
    by_name = {name: spec for spec in task.inputs for name in (spec.field, spec.name)}
    constants: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name:
            fit = ", ".join(spec.name for spec in task.inputs)
            raise UsageError(
                f"input {name}: {task.name} has no such input: {fit}{meant(name, by_name)}"
            )
        spec = by_name[name]
        if spec.field in constants:
            raise UsageError(f"input {name}: is given twice, as {spec.name} and as {spec.field}")
        constants[spec.field] = _value(task, spec, name, value)
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
        like = ': expected a list, ["cat", "cup"]' if spec.content == "text" else ""
        raise UsageError(f"input {name}: {value!r} is not JSON{like}") from None


class SharedInputs(Source):
    """A source's rows, each with what all of them share."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.task, source.columns)
        self._source, self.left_out = source, source.left_out
        self.pinned = source.pinned

    def heeds(self, heed: Callable[[], None]) -> None:
        """The source's own do."""
        self._source.heeds(heed)

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self.each(1)

    def each(self, step: int) -> Iterator[SourceRow | UnreadableRow]:
        """The source's own, with what is shared."""
        return self._sharing(self._source.each(step))

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """The source's own."""
        return self._source.parts(rows, first)

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """The source's own, with what is shared."""
        return self._sharing(self._source.part(part))

    def listed(self, files: Callable[[], Iterable[FoundFile]]) -> Source:
        """The source's own, with what is shared."""
        return SharedInputs(self._source.listed(files))

    def _sharing(
        self, rows: Iterable[SourceRow | UnreadableRow]
    ) -> Iterator[SourceRow | UnreadableRow]:
        shared = self.columns.constants
        for row in rows:
            if isinstance(row, SourceRow):
                yield replace(row, values={**row.values, **shared})
            else:
                yield row

    def count(self) -> int | None:
        """The source's own rows."""
        return self._source.count()

    def counted(self) -> int | None:
        """The source's own rows."""
        return self._source.counted()

    def files(self) -> Iterable[str]:
        """The source's own."""
        return self._source.files()
