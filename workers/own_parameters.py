"""Rows of different parameters, for a model that takes one set of them a forward."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_json

from ..protocol.errors import WherryError
from ..tasks.backends.rows import alike
from ..tasks.base import TaskInput, TaskOutput
from .halving import Answers, Run, run_rows
from .loaded_model import LoadedModel


def run_alike(
    model: LoadedModel, run: Run[TaskInput, TaskOutput], rows: Sequence[TaskInput]
) -> Answers[TaskOutput]:
    """Run rows as `run_rows` does; those that have the parameters of `Task.own` alike at a time, if
    the model must.
    """
    if model.backend.is_remote:  # it sends them as it can, and knows of no device's memory
        return _all_at_once(run, rows)
    own = model.task.own
    if not own or model.backend.rows_have_own:
        return run_rows(run, rows, model.budget)
    done, found = Answers[TaskOutput](), dict[int, TaskOutput | WherryError]()
    for places in alike(to_json([getattr(row, name) for name in own]) for row in rows):
        part = run_rows(run, [rows[place] for place in places], model.budget)
        found.update(zip(places, part.rows, strict=True))
        done.sizes += part.sizes
        done.ran_out += part.ran_out
    done.rows += [found[place] for place in range(len(rows))]
    return done


def _all_at_once(run: Run[TaskInput, TaskOutput], rows: Sequence[TaskInput]) -> Answers[TaskOutput]:
    try:
        return Answers(list(run(rows)), [len(rows)] if rows else [])
    except WherryError as error:
        return Answers([error] * len(rows), [len(rows)])
