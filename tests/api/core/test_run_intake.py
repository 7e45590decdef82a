"""What no row of a run could be sent with is refused before the run is there."""

from __future__ import annotations

import pytest

from wherry.api.core.run_intake import RunAsked, _check_task
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task, task_names


def asked(**fields: object) -> RunAsked:
    return RunAsked.model_validate({"source": "/data/", "model": "m", **fields})


def test_an_input_that_all_rows_share_is_asked_for() -> None:
    task = get_task("zero-shot-image-classification")
    with pytest.raises(InvalidRequest, match=r"inputs\.candidate_labels: .* needs it"):
        _check_task(asked(), task)
    for field in ("inputs", "parameters"):
        _check_task(asked(**{field: {"candidate_labels": ["a", "b"]}}), task)


@pytest.mark.parametrize("name", task_names())
def test_every_tasks_own_values_are_taken(name: str) -> None:
    task = get_task(name)
    row = task.example.input.rows()[0]
    names = {spec.field for spec in task.inputs} - set(task.input.ROWS)
    _check_task(
        asked(
            parameters={each: getattr(row, each) for each in task.input.parameter_names()},
            inputs={each: getattr(row, each) for each in names},
        ),
        task,
    )
