"""`wherry batch submit` of a file that is none: refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wherry.client import batch_commands

APP = typer.Typer()
batch_commands.register(APP)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no line"),
        ("\n \n", "holds no line"),
        ("id,url\n", "its first line is not JSON"),
        ("[1]\n", "its first line names no url"),
        ('{"custom_id": "a"}\n', "its first line names no url; name --endpoint"),
    ],
)
def test_a_file_of_something_else_is_told_by_its_first_line(
    content: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "lines").write_text(content)
    done = CliRunner().invoke(
        APP, ["batch", "submit", str(tmp_path / "lines")], env={"COLUMNS": "200"}
    )
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
