"""From a command line's files, texts and parameters to a task's inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from ..protocol.errors import InvalidRequest
from ..tasks.base import Task, TaskInput
from ..tasks.tensors import TensorSpec
from .errors import UsageError

#: A name to show, and the input, read when it is its turn: files may be many and large.
NamedInput = tuple[str, Callable[[], TaskInput]]

#: Seconds of what a time is told in.
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def named_inputs(
    task: Task, files: Sequence[Path], texts: Sequence[str], parameters: dict[str, Any]
) -> list[NamedInput]:
    """A file a job; of a text file, each line is a row. All texts together are one job.

    Raises typer.BadParameter.
    """
    filed = task.inputs[0]
    either = (spec for spec in task.inputs if spec.field in task.input.ONE_OF and not spec.is_file)
    said = next(either, filed)
    if said.is_file and texts:
        raise typer.BadParameter(f"{task.name} takes files, not --text")
    if said.is_file and not files:
        raise typer.BadParameter(f"name a file: {task.name} takes files")
    if not texts and not files:
        wanted = "files or --text" if filed.is_file else "--text or text files"
        raise typer.BadParameter(f"nothing to send: {task.name} takes {wanted}")
    read: Callable[[Path], Sequence[Any]] = _blob if filed.is_file else _lines

    def whole(spec: TensorSpec, rows: Callable[[], Sequence[Any]]) -> TaskInput:
        return task.input.validated({**parameters, spec.field: rows()})

    named: list[NamedInput] = [(str(f), partial(whole, filed, partial(read, f))) for f in files]
    if texts:
        named.append(("text", partial(whole, said, partial(list, texts))))
    return named


def check_parameters(task: Task, parameters: dict[str, Any]) -> None:
    """Raises UsageError for parameters that the task refuses, whatever the rows."""
    inputs = {spec.field: getattr(task.example.input, spec.field) for spec in task.inputs}
    try:
        task.input.validated({**parameters, **inputs})
    except InvalidRequest as error:
        raise UsageError(f"--param: {error.message}") from None


def _blob(file: Path) -> list[bytes]:
    return [file.read_bytes()]


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            return [line.rstrip("\n") for line in lines]
    except UnicodeDecodeError:
        raise InvalidRequest("the file is not UTF-8 text") from None


def parameters_of(given: Sequence[str], option: str = "--param") -> dict[str, Any]:
    """`name=value` items; a value that is JSON is taken as such, any other as text."""
    parameters: dict[str, Any] = {}
    for name, value in texts_of(given, option).items():
        try:
            parameters[name] = json.loads(value, parse_constant=_no_number)
        except ValueError:
            parameters[name] = value
    return parameters


def _no_number(constant: str) -> None:
    """Raise ValueError for NaN and infinities, which would be sent as null."""
    raise ValueError(constant)


def texts_of(given: Sequence[str], option: str = "--input") -> dict[str, str]:
    """`name=value` items, the values as they are. Raises typer.BadParameter."""
    texts: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{option} {item!r}: expected name=value")
        if name in texts:
            raise typer.BadParameter(f"{option} {name} is given twice")
        texts[name] = value
    return texts


def seconds_of(given: str, option: str) -> float:
    """A length of time, `1s`, `500ms`, `2m`, or a number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|)", given.strip())
    if found is None:
        raise typer.BadParameter(f"{option} {given!r}: expected a time as 1s, 500ms, 2m or 0.5")
    return float(found[1]) * _SECONDS[found[2]]
