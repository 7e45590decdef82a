"""How a batch is cut when the model cannot take it whole. Pure: no queue, no device, no clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..protocol.errors import BackendError, OutOfMemory, RowError, WherryError

log = logging.getLogger(__name__)

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 # an output, as R is a row

#: One forward: as many answers as rows, each an output or that row's own error.
Run = Callable[[Sequence[R]], Sequence[O | RowError]]


@dataclass(slots=True)
class Answers(Generic[O]):
    """An answer a row, in order, and what it took."""

    rows: list[O | WherryError] = field(default_factory=list)
    executions: int = 0
    #: The largest batch that fitted when a larger one ran out of memory; None when none did.
    fitted: int | None = None


def run_rows(run: Run[R, O], rows: Sequence[R], max_rows: int) -> Answers[O]:
    """Run rows in batches of at most `max_rows`; one bad row fails alone.

    A batch that raises is halved until the rows at fault stand alone. Out of memory halves the
    size of all later batches too.
    """
    answers: Answers[O] = Answers()
    start = 0
    while start < len(rows):
        size = min(max_rows, answers.fitted or max_rows)
        _run_part(run, rows[start : start + size], answers)
        start += size
    return answers


def _run_part(run: Run[R, O], rows: Sequence[R], answers: Answers[O]) -> None:
    try:
        answers.executions += 1
        out = run(rows)
        if len(out) != len(rows):
            raise BackendError(f"the backend answered {len(out)} rows for {len(rows)}")
    except Exception as error:
        if len(rows) == 1:
            answers.rows.append(_blame(error))
            return
        half = len(rows) // 2
        if isinstance(error, OutOfMemory):
            answers.fitted = min(answers.fitted or half, half)
        else:
            log.warning("a batch of %d raised; halving it to find the rows at fault", len(rows))
        _run_part(run, rows[:half], answers)
        _run_part(run, rows[half:], answers)
    else:
        answers.rows.extend(out)


def _blame(error: Exception) -> WherryError:
    """The error that one row gets. Text of others' exceptions stays in the log."""
    if isinstance(error, WherryError):
        return error
    log.error("the model raised on a single row", exc_info=error)
    return BackendError(f"the model raised {type(error).__name__} on this row")
