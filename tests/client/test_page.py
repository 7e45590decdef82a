"""docs/client.md, followed to the letter."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wherry.client import AsyncClient, Client, commands, fleet_commands, job_commands
from wherry.ops.stack import Stack
from wherry.protocol.errors import WherryError

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_true(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WHERRY_URL", stack.url)
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(b"a photo")
    Path("photos").mkdir()
    for name, content in (("a", b"a"), ("b", b"b"), ("c", b"REJECT")):
        Path("photos", f"{name}.jpg").write_bytes(content)
    Path("sentences.txt").write_text("One.\nTwo.\n")

    app = typer.Typer()
    for room in (commands, job_commands, fleet_commands):
        room.register(app)
    names: dict[str, object] = {}
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "docs/client.md", "exec"), names)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "wherry"
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, (line, done.output)

    said = capsys.readouterr().out
    assert "c.jpg failed: the stub was asked to reject this row" in said
    assert "[1, 8]" in said
    assert "no-such-model" in said
    assert Path("answer.json").exists()


def test_it_names_every_call_option_error_and_command() -> None:
    words = set(re.findall(r"\w+", PAGE))
    calls = {name for name in vars(Client) if not name.startswith("_")} - {"url"}
    assert calls - {"close"} <= words
    assert vars(AsyncClient).keys() >= calls
    for name in calls | {"__init__"}:
        options = getattr(getattr(Client, name), "__annotations__", {}).keys() - {"return"}
        assert options - {"model", "inputs", "job_id", "path"} <= words, name

    def tree(kind: type[WherryError]) -> set[str]:
        own = [k for k in kind.__subclasses__() if k.__module__ == WherryError.__module__]
        return {kind.__name__}.union(*map(tree, own))

    ours = tree(WherryError)
    assert ours <= words, ours - words
    app = typer.Typer()
    for room in (commands, job_commands, fleet_commands):
        room.register(app)
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"wherry {command.name}" in PAGE
