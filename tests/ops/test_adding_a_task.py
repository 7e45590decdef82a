"""docs/adding-a-task.md, followed to the letter."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-task.md").read_text(encoding="utf-8")

#: A file of the page: its path in a line of its own, then its text.
FILES = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
OWN, REPOSITORY = PAGE.split("## In this repository")


def commands(section: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, and the package installed beside them."""
    tmp_path = tmp_path_factory.mktemp("page")
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # As `pip install` with a package index would; the build needs none here.
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--target", "site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "./reading-level"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = {**os.environ, "PYTHONPATH": str(folder / "site")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=path, capture_output=True, text=True, timeout=60
    )


def test_a_package_of_your_own(folder: Path) -> None:
    assert commands(OWN) == ["pip install ./reading-level", "wherry tasks reading-level"]
    wherry = ("-c", "from wherry.ops.cli import main; main()")
    shown = run(folder, *wherry, "tasks", "reading-level", "--json")
    (card,) = json.loads(shown.stdout)
    assert (card["name"], card["backends"]) == ("reading-level", ["stub", "wordlength"])
    tried = run(folder, "try_it.py")
    assert tried.stdout.split() == ["easy", "hard"], tried.stderr
    served = (
        "from pathlib import Path\n"
        "from wherry.tasks.models_file import load_catalog\n"
        "from wherry.api.http.openapi_examples import REQUESTS\n"
        "from wherry.workers.models import Models\n"
        "from wherry.tasks.backends.device import Device\n"
        "models = Models(load_catalog(Path('models.toml')), {'text'}, Device())\n"
        "models.load_all()\n"
        "print([m.task.name for m in models], 'reading-level' in REQUESTS)\n"
    )
    done = run(folder, "-c", served)
    assert done.stdout == "['reading-level'] True\n", done.stderr


def test_its_drawing_lies_beside_its_task(folder: Path) -> None:
    ask = (
        "from importlib.resources import files\n"
        "from wherry.tasks.entry_points import installed, load\n"
        "point = installed('wherry.console')['reading-level']\n"
        "print((files(load(point)) / 'answer.js').read_text(), end='')\n"
    )
    told = run(folder, "-c", ask)
    assert told.stdout == FILES["reading-level/reading_level/answer.js"], told.stderr


def test_its_task_passes_the_checks_of_every_task(folder: Path) -> None:
    checks = Path(__file__).parents[1] / "tasks" / "test_every_task.py"
    bare = ("-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider", "--noconftest")
    done = run(folder, "-m", "pytest", "-q", *bare, "-k", "reading-level", str(checks))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("TASK = 1 / 0", "package 'reading-level' cannot be loaded: ZeroDivisionError"),
        ("TASK = 1", "is no task of that name"),
    ],
)
def test_what_is_wrong_with_a_package_is_told(
    folder: Path, tmp_path: Path, text: str, said: str
) -> None:
    shutil.copytree(folder / "site", tmp_path / "site")
    (tmp_path / "site/reading_level/task.py").write_text(text)
    ask = "from wherry.tasks.registry import get_task; get_task('reading-level')"
    assert said in run(tmp_path, "-c", ask).stderr


def test_a_task_in_the_repository(run: Callable[..., str]) -> None:
    new, check = commands(REPOSITORY)
    assert new.startswith("wherry ")
    printed = run("wherry.ops.cli", *shlex.split(new)[1:])
    for file in re.findall(r"- `(\S+)`,", REPOSITORY):
        assert file in printed
    assert check.startswith("python -m ")
    assert check in printed
    assert " passed" in run(*shlex.split(check)[2:], "-p", "no:cacheprovider")
