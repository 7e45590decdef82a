"""What `wherry runs clone` refuses before it asks a server."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from wherry.client.command_inputs import parameters_of
from wherry.client.run_commands import register

APP = typer.Typer()
register(APP)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "run_id=5"], "run_id is no field of a run"),
        (["--set", "self=5"], "self is no field of a run"),
        (["--name", "a", "--set", "name=b"], "name has an option"),
        (["--param", "top_k=1", "--set", "parameters={}"], "parameters has an option"),
    ],
)
def test_a_field_is_set_once_and_by_its_name(options: list[str], said: str) -> None:
    done = CliRunner().invoke(APP, ["runs", "clone", "r", *options], terminal_width=200)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())


def test_what_json_has_no_word_for_is_a_text() -> None:
    """A server would read NaN as null, which is another thing to ask."""
    assert parameters_of(["a=NaN", "b=-Infinity", "c=1e3"]) == {
        "a": "NaN",
        "b": "-Infinity",
        "c": 1000.0,
    }
