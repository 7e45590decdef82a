"""Rows of several pages on their way through a model: a row each, and one answer of all."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

from ..protocol.errors import BackendError, RowError, WherryError
from .base import TaskInput, TaskOutput

log = logging.getLogger(__name__)

Answer = TaskOutput | WherryError


class Parts:
    """What a model is given of a batch's rows; `answers` puts them together again."""

    def __init__(self, rows: Sequence[TaskInput]) -> None:
        self._whole = rows
        self.rows: Sequence[TaskInput] = rows
        self._are_whole = all(map(_is_whole, set(map(type, rows))))
        if self._are_whole:  # as of most tasks
            return
        self._given: list[Sequence[TaskInput] | WherryError] = [_parts(row) for row in rows]
        self.rows = [
            part for given in self._given if not isinstance(given, WherryError) for part in given
        ]

    def answers(self, found: Sequence[Answer]) -> list[Answer]:
        """One answer a row of the batch, given those of `rows`.

        A page that fails is its row's error: text that lacks a page may be taken for all of it.
        """
        if self._are_whole:
            return list(found)
        following = iter(found)
        return [
            given if isinstance(given, WherryError) else _one(row, [next(following) for _ in given])
            for row, given in zip(self._whole, self._given, strict=True)
        ]


@functools.cache
def _is_whole(kind: type[TaskInput]) -> bool:
    """Whether a row of this kind is one for the model, too, and its answer that of the model."""
    return kind.parts is TaskInput.parts and kind.unread is TaskInput.unread


def _parts(row: TaskInput) -> Sequence[TaskInput] | WherryError:
    try:
        return row.parts()
    except Exception as error:
        return _blame(error)


def _one(row: TaskInput, answers: Sequence[Answer]) -> Answer:
    try:
        return _joined(row, answers)
    except Exception as error:
        return _blame(error)


def _blame(error: Exception) -> WherryError:
    """The error that one row gets: whatever a file's reader raises, its neighbours are answered."""
    if isinstance(error, WherryError):
        return error
    log.error("a row's file could not be looked into", exc_info=error)
    return BackendError(f"the worker raised {type(error).__name__} on this row's file")


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
    told = [answer.warning for answer in good]  # pages are often warned of alike
    notes = "; ".join(filter(None, dict.fromkeys((*told, row.unread()))))
    return whole.warned(notes) if notes else whole
