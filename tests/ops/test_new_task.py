from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from wherry.ops.new_task import NewTaskError, with_row, write_task
from wherry.tasks.base import Family

Run = Callable[..., str]


@pytest.mark.slow
def test_the_made_task_passes_every_check_of_a_task(checkout: Path, run: Run) -> None:
    files = []
    for family in get_args(Family):
        files += write_task(checkout, f"made-{family}", family)
    checked = run("pytest", "-q", "tests/tasks", "-k", "made", "-p", "no:cacheprovider")
    # Eight checks of every task and more, and three of its own, for each family.
    passed = int(checked.splitlines()[-1].split(" passed")[0].split()[-1])
    assert passed >= 4 * (8 + 3)
    run("ruff", "check", *map(str, files))


def test_nothing_is_written_over(checkout: Path) -> None:
    file = checkout / "tests/tasks/backends/audio/test_bird_song.py"
    file.write_text("mine")
    before = (checkout / "tasks/registry.py").read_text()
    with pytest.raises(NewTaskError, match="is there already"):
        write_task(checkout, "bird-song", "audio")
    assert file.read_text() == "mine"
    assert (checkout / "tasks/registry.py").read_text() == before
    assert not (checkout / "tasks/audio/bird_song.py").exists()


def test_a_task_that_there_is_stays(checkout: Path) -> None:
    with pytest.raises(NewTaskError, match="already"):
        write_task(checkout, "embedding", "vision")


@pytest.mark.parametrize("name", ["", "Bird", "bird_song", "../bird", "bird--song", "1st", "a."])
def test_a_name_is_words_with_hyphens(checkout: Path, name: str) -> None:
    with pytest.raises(NewTaskError, match="lower-case words"):
        write_task(checkout, name, "audio")


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NewTaskError, match="no checkout"):
        write_task(tmp_path, "bird-song", "audio")
    assert not list(tmp_path.iterdir())


def test_a_row_goes_to_its_place() -> None:
    text = 'T = {\n    "b": "1",\n    "d": "2",\n}\nrest\n'
    assert with_row(text, "T = {", "c", "3").splitlines()[1:4] == [
        '    "b": "1",',
        '    "c": "3",',
        '    "d": "2",',
    ]
    assert with_row(text, "T = {", "e", "3").splitlines()[3] == '    "e": "3",'
    with pytest.raises(NewTaskError, match="no table"):
        with_row(text, "U = {", "c", "3")
