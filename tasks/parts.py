"""Rows of several pages on their way through a model: a row each, and one answer of all."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.errors import RowError, WherryError
from .base import TaskInput, TaskOutput

Answer = TaskOutput | WherryError


class Parts:
    """What a model is given of a batch's rows; `answers` puts them together again."""

    def __init__(self, rows: Sequence[TaskInput]) -> None:
        self._whole = rows
        self._given: list[Sequence[TaskInput] | RowError] = [_parts(row) for row in rows]
        self.rows = [
            part for given in self._given if not isinstance(given, RowError) for part in given
        ]

    def answers(self, found: Sequence[Answer]) -> list[Answer]:
        """One answer a row of the batch, given those of `rows`.

        A page that fails is its row's error: text that lacks a page may be taken for all of it.
        """
        following = iter(found)
        return [
            given if isinstance(given, RowError) else _joined(row, [next(following) for _ in given])
            for row, given in zip(self._whole, self._given, strict=True)
        ]


def _parts(row: TaskInput) -> Sequence[TaskInput] | RowError:
    try:
        return row.parts()
    except RowError as error:
        return error


def _joined(row: TaskInput, answers: Sequence[Answer]) -> Answer:
    good: list[TaskOutput] = []
    for number, answer in enumerate(answers, 1):
        if isinstance(answer, WherryError):
            several = len(answers) > 1 and isinstance(answer, RowError)
            is_told = answer.message.startswith(f"page {number} ")
            return (
                RowError(f"page {number}: {answer.message}") if several and not is_told else answer
            )
        good.append(answer)
    whole = good[0].of_parts(good, row)
    notes = "; ".join(filter(None, (whole.warning, row.unread())))
    return whole.warned(notes) if notes else whole
