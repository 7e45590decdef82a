"""How a batch is cut when the model cannot take it whole. Pure: no queue, no device, no clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..protocol.errors import BackendError, OutOfMemory, RowError, WherryError
from .budget import ShapeBudget

log = logging.getLogger(__name__)

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 # an output, as R is a row

#: One forward: as many answers as rows, each an output or that row's own error.
Run = Callable[[Sequence[R]], Sequence[O | RowError]]


@dataclass(slots=True)
class Answers(Generic[O]):
    """An answer a row, in order, and what it took."""

    rows: list[O | WherryError] = field(default_factory=list)
    #: How many rows each forward had.
    sizes: list[int] = field(default_factory=list)
    #: How often memory ran out.
    ran_out: int = 0

    @property
    def executions(self) -> int:
        """How many forwards it took."""
        return len(self.sizes)


def run_rows(run: Run[R, O], rows: Sequence[R], budget: ShapeBudget[R]) -> Answers[O]:
    """Run rows in batches within the budget, which learns from it; one bad row fails alone.

    A batch that raises is halved until the rows at fault stand alone.
    """
    answers: Answers[O] = Answers()
    start = 0
    while start < len(rows):
        size = budget.take(rows, start)
        _run_part(run, rows[start : start + size], answers, budget)
        start += size
    return answers


def _run_part(
    run: Run[R, O], rows: Sequence[R], answers: Answers[O], budget: ShapeBudget[R]
) -> None:
    try:
        answers.sizes.append(len(rows))
        out = run(rows)
        if len(out) != len(rows):
            raise BackendError(f"the backend answered {len(out)} rows for {len(rows)}")
    except Exception as error:
        if isinstance(error, OutOfMemory):
            budget.ran_out(rows)
            answers.ran_out += 1
        if len(rows) == 1:
            answers.rows.append(_blame(error))
            return
        if not isinstance(error, OutOfMemory):
            log.warning("a batch of %d raised; halving it to find the rows at fault", len(rows))
        half = len(rows) // 2
        _run_part(run, rows[:half], answers, budget)
        _run_part(run, rows[half:], answers, budget)
    else:
        budget.ran(rows)
        answers.rows.extend(out)


def _blame(error: Exception) -> WherryError:
    """The error that one row gets. Text of others' exceptions stays in the log."""
    if isinstance(error, WherryError):
        return error
    log.error("the model raised on a single row", exc_info=error)
    return BackendError(f"the model raised {type(error).__name__} on this row")
