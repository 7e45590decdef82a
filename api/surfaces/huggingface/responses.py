"""What a writer is given, and what it may give besides JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ....tasks.base import TaskInput, TaskOutput
from .requests import HfRequest, Rows


class Raw(NamedTuple):
    """A file that is the whole answer."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A task's answer, and what it answers."""

    output: TaskOutput
    given: TaskInput
    rows: Rows
    asked: HfRequest

    @property
    def entries(self) -> Any:
        """The output's main field: an entry a row."""
        return getattr(self.output, self.output.ROWS[0])

    def one_or_many(self, answers: Sequence[object]) -> object:
        """A list for a list, else the one answer."""
        return list(answers) if self.rows.many else answers[0]


#: Gives JSON, or a file.
Writer = Callable[[Answered], object]


def items(answered: Answered) -> object:
    """The items of each row with the names that they have here: labels, spans, answers."""
    return answered.one_or_many([[item.model_dump() for item in row] for row in answered.entries])
