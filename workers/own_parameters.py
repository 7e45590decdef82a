"""Rows of different parameters, for a model that takes one set of them a forward."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_json

from ..protocol.errors import RowError
from ..tasks.backends.rows import alike
from ..tasks.base import TaskInput, TaskOutput
from .halving import Run
from .loaded_model import LoadedModel


def rows_alike(model: LoadedModel, run: Run[TaskInput, TaskOutput]) -> Run[TaskInput, TaskOutput]:
    """Have a model run rows that have the parameters of `Task.own` alike, if it must."""
    own = model.task.own
    if not own or model.backend.rows_have_own:
        return run

    def apart(rows: Sequence[TaskInput]) -> Sequence[TaskOutput | RowError]:
        found: dict[int, TaskOutput | RowError] = {}
        for group in alike(to_json([getattr(row, name) for name in own]) for row in rows):
            answers = run([rows[place] for place in group])
            found.update(zip(group, answers, strict=True))
        return [found[place] for place in range(len(rows))]

    return apart
