"""What a detached run is told of columns and data bases is what a run's record has."""

from __future__ import annotations

from pathlib import Path

from wherry.client.annotate.sources.base import Columns
from wherry.client.runs import _whole, detached
from wherry.jobs.run_spec import RunColumns


def test_columns_are_those_of_a_run() -> None:
    asked = detached({"columns": Columns(id="name", fields={"texts": "body"})})
    assert RunColumns.model_validate(asked["columns"]) == RunColumns(
        id="name", fields={"texts": "body"}
    )


def test_columns_as_a_mapping_go_as_they_are() -> None:
    assert detached({"columns": {"id": "name"}}) == {"columns": {"id": "name"}}


def test_a_data_base_is_seen_from_the_root() -> None:
    here = Path.cwd()
    assert _whole("sqlite:///in/rows.db") == f"sqlite:///{here}/in/rows.db"
    assert _whole("sqlite:////data/rows.db") == "sqlite:////data/rows.db"
    assert _whole("postgresql://db/reviews") == "postgresql://db/reviews"
