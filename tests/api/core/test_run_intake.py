"""What no row of a run could be sent with is refused before the run is there."""

from __future__ import annotations

import pytest

from wherry.api.core.run_intake import RunAsked, _check_place, _check_task
from wherry.protocol.errors import InvalidRequest
from wherry.protocol.places import AllowedPlaces
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


@pytest.mark.parametrize("field", ["source", "out"])
def test_a_password_in_a_url_is_refused_and_not_repeated(field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{field}: its URL holds a password") as caught:
        _check_place(field, "postgresql://me:hush@db/reviews", AllowedPlaces.of("local"))
    assert "hush" not in caught.value.message


@pytest.mark.parametrize("source", ["sqlite:///rows.db", "rows.db"])
def test_a_data_base_is_named_whole(source: str) -> None:
    with pytest.raises(InvalidRequest, match="a folder that the fleet does not know"):
        _check_place("source", source, AllowedPlaces.of("local"))
    _check_place("source", source.replace("rows", "/data/rows"), AllowedPlaces.of("/data/"))
