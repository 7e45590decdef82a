"""What a detached run is told of columns is what a run's record has."""

from __future__ import annotations

from wherry.client.annotate.sources.base import Columns
from wherry.client.runs import detached
from wherry.jobs.run_records import RunColumns


def test_columns_are_those_of_a_run() -> None:
    asked = detached({"columns": Columns(id="name", fields={"texts": "body"})})
    assert RunColumns.model_validate(asked["columns"]) == RunColumns(
        id="name", fields={"texts": "body"}
    )


def test_columns_as_a_mapping_go_as_they_are() -> None:
    assert detached({"columns": {"id": "name"}}) == {"columns": {"id": "name"}}
