"""What a task's form is made of: how an entry of a trigger is read and its answer written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .....protocol.errors import InvalidRequest
from .....tasks.base import Task, TaskInput, TaskOutput
from ....egress.named_files import NamedFiles
from ....http.media import read_media

Json = dict[str, Any]  # JSON

#: Answers to one entry that may be asked for by `n`.
_MOST_CHOICES = 16

_IMAGE_KEYS = ("image-base64", "image-url")


#: Parameters of chat whose answers are calls.
_CALLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})


@dataclass(frozen=True, slots=True)
class TriggerEntry:
    """An entry of `taskInputs`, and where it is for who reads an error."""

    where: str
    data: Json
    parameter: Json
    task: Task
    #: Those that the data names by URL.
    files: NamedFiles

    def refuse(self, where: str, why: str) -> InvalidRequest:
        """The error that names a field."""
        return InvalidRequest(f"{self.where}.{where}: {why}")

    def text(self, name: str) -> str:
        """A text of the data. Raises InvalidRequest."""
        value = self.data.get(name)
        if not isinstance(value, str):
            raise self.refuse(f"data.{name}", "expected text")
        return value

    def objects(self, name: str) -> list[tuple[str, Json]]:
        """A list of objects of the data, each with where it is. Raises InvalidRequest."""
        return self.parts(self.data.get(name), f"data.{name}")

    def parts(self, value: object, where: str) -> list[tuple[str, Json]]:
        """A list of objects, each with where it is. Raises InvalidRequest."""
        if not isinstance(value, list) or not value:
            raise self.refuse(where, "expected a list of one object or more")
        for index, part in enumerate(value):
            if not isinstance(part, dict):
                raise self.refuse(f"{where}[{index}]", "expected an object")
        return [(f"{where}[{index}]", part) for index, part in enumerate(value)]

    def image(self, part: Json, where: str) -> bytes:
        """An image's file, under the key that `type` names or the one that is there."""
        kind = part.get("type", next((key for key in _IMAGE_KEYS if key in part), None))
        if kind not in _IMAGE_KEYS:
            raise self.refuse(f"{where}.type", f"use {' or '.join(_IMAGE_KEYS)}")
        return read_media(part.get(kind), f"{self.where}.{where}.{kind}", self.files)

    def parameters(
        self,
        renamed: Mapping[str, str] | None = None,
        ignored: Collection[str] = (),
        **defaults: object,
    ) -> Json:
        """The parameters as fields of the task's input, with hyphens or underscores in names.

        `renamed` has Instill's names of our parameters. Raises InvalidRequest for unknown ones.
        """
        fields: Json = {**defaults}
        known = self.task.input.parameter_names()
        for name, value in self.parameter.items():
            plain = name.replace("-", "_")
            ours = (renamed or {}).get(plain, plain)
            if plain in ignored or value is None:
                continue
            if ours in _CALLS:
                raise self.refuse(f"parameter.{name}", "an answer here has no place for calls")
            if ours not in known:
                takes = ", ".join([*ignored, *(renamed or ()), *known]).replace("_", "-")
                raise self.refuse(f"parameter.{name}", f"unknown; {self.task.name} takes {takes}")
            fields[ours] = _whole(value)
        return fields

    def count(self) -> int:
        """How many answers the parameter `n` asks for. Raises InvalidRequest."""
        given = self.parameter.get("n")
        count = 1 if given is None else _whole(given)
        if type(count) is not int or not 1 <= count <= _MOST_CHOICES:
            raise self.refuse("parameter.n", f"1 to {_MOST_CHOICES} answers can be asked for")
        return count

    def row(self, **fields: object) -> TaskInput:
        """An input of one row. Raises InvalidRequest that says where."""
        try:
            return self.task.input.validated(fields)
        except InvalidRequest as error:
            raise type(error)(f"{self.where}: {error.message}") from None


def _whole(value: Any) -> Any:
    """A whole number as int: what came through a protobuf Struct was a double."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """What an entry asks for: rows of our task, and what is done to their answers."""

    rows: Sequence[TaskInput]  # of one row each
    #: Numbers of a vector to answer; None for all.
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """How an answer is written."""

    task: str  # TASK_...
    created: int  # seconds since the epoch
    box_key: str = "bounding_box"
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How one of our tasks is asked and answers in Instill's words."""

    read: Callable[[TriggerEntry], EntryRequest]
    #: The answers to an entry's rows, written as `data`; what `metadata` there is beside it.
    write: Callable[[Sequence[Any], Style], Json]  # Any: each form knows its own Output
    usage: Callable[[Sequence[Any]], Json] | None = None
    #: Which of Instill's tasks it was, where the answers to all rows decide.
    decide: Callable[[Sequence[Any]], str] | None = None

    def task(self, ours: Task, answers: Sequence[TaskOutput]) -> str:
        """Instill's name of what was done."""
        return self.decide(answers) if self.decide else ours.aliases.instill

    def entry(self, answers: Sequence[TaskOutput], style: Style) -> Json:
        """An entry of `taskOutputs`."""
        written: Json = {"data": self.write(answers, style)}
        if self.usage:
            written["metadata"] = {"usage": self.usage(answers)}
        return written


def box(style: Style, left: float, top: float, width: float, height: float) -> Json:
    """A bounding box, under the name that the operator chose."""
    return {style.box_key: {"top": top, "left": left, "width": width, "height": height}}
