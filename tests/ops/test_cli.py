from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import wherry
from wherry.ops.commands import choose_models

from ..support.nursery import Nursery

COMMANDS = {
    "annotate",
    "batch",
    "version",
    "submit",
    "status",
    "result",
    "cancel",
    "models",
    "queues",
    "reload",
    "load",
    "unload",
    "jobs",
    "workers",
    "drain",
    "undrain",
    "logs",
    "doctor",
    "tasks",
    "new-task",
    "worker",
    "up",
    "check",
    "capacity",
    "demo",
}


def call(*arguments: str, without: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with one package as if it were not installed."""
    code = f"import sys; sys.modules[{without!r}] = None; from wherry.ops.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_it_says_its_version(asked: str, nursery: Nursery, tmp_path: Path) -> None:
    done = nursery.run(tmp_path, asked, env=os.environ)
    assert (done.returncode, done.stdout) == (0, f"{wherry.__version__}\n")


@pytest.mark.parametrize("command", [[], ["submit"], ["batch", "list"], ["up"]])
def test_flags_are_shown_without_a_type(
    command: list[str], nursery: Nursery, tmp_path: Path
) -> None:
    done = nursery.run(tmp_path, *command, "--help", env=os.environ)
    assert "--help" in done.stdout
    assert "bool" not in done.stdout


def test_it_lists_every_command(nursery: Nursery, tmp_path: Path) -> None:
    shown = nursery.run(tmp_path, "--help", env=os.environ).stdout
    assert {word for word in COMMANDS if f" {word} " in shown} == COMMANDS


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("typer", ["version"], "client"),
        ("httpx", ["queues"], "client"),
        ("numpy", ["annotate", "photos", "--model", "m", "--out", "o.jsonl"], "annotate"),
        ("celery", ["worker", "vision"], "worker"),
        ("redis", ["up"], "local"),
        ("sklearn", ["demo"], "demo"),
    ],
)
def test_a_missing_package_is_one_line_with_the_extra(
    package: str, arguments: list[str], extra: str
) -> None:
    done = call(*arguments, without=package)
    assert done.returncode == 1
    assert done.stderr == f"this command needs {package}: pip install 'wherry[{extra}]'\n"


def test_commands_that_do_not_need_it_still_work() -> None:
    done = call("version", without="redis")
    assert (done.returncode, done.stdout) == (0, f"{wherry.__version__}\n")
    assert call("submit", "--help", without="celery").returncode == 0
    assert call("worker", "--help", without="httpx").returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["annotate", "--help"], ["queues", "--help"]])
def test_what_only_annotating_needs_is_not_loaded(arguments: list[str]) -> None:
    heavy = {"numpy", "PIL", "pyarrow", "fsspec", "sqlite3", "celery", "redis", "fastapi", "torch"}
    code = (
        "import sys\n"
        "from wherry.ops.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    print({heavy!r} & sys.modules.keys(), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == "set()\n"


def test_models_are_chosen_by_name_then_by_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_models(None, sample_models=False) is None
    Path("models.toml").touch()
    assert choose_models(None, sample_models=False) == Path("models.toml")
    assert choose_models(None, sample_models=True) is None
    assert choose_models(Path("mine.toml"), sample_models=False) == Path("mine.toml")
    with pytest.raises(typer.BadParameter, match="not both"):
        choose_models(Path("mine.toml"), sample_models=True)
