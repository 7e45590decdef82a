"""What is run by a folder is marked in that folder alone: elsewhere nobody would run it."""

from __future__ import annotations

import re

import pytest

from ..support.marked_folders import FOLDERS, TESTS, is_left_out


@pytest.mark.parametrize(
    ("mark", "folder"), [("chaos", "chaos"), ("peer", "peers"), ("browser", "browser")]
)
def test_tests_of_a_mark_lie_in_its_folder(mark: str, folder: str) -> None:
    word = f"pytest.mark.{mark}"
    marked = {
        file.relative_to(TESTS)
        for file in TESTS.rglob("*.py")
        if word in file.read_text(encoding="utf-8")
    }
    assert marked
    assert {file for file in marked if file.parts[0] != folder} == set()


@pytest.mark.parametrize(("folder", "mark"), FOLDERS.items())
def test_all_tests_of_such_a_folder_have_its_mark(folder: str, mark: str) -> None:
    """What had none would run nowhere: `make test` does not read the folder."""
    conftest = TESTS / folder / "conftest.py"
    if conftest.exists() and f"add_marker(pytest.mark.{mark})" in conftest.read_text():
        return
    marked = re.compile(rf"^pytestmark = .*\bpytest\.mark\.{mark}\b", re.MULTILINE | re.DOTALL)
    files = sorted((TESTS / folder).rglob("test_*.py"))
    assert files
    assert [file.name for file in files if not marked.search(file.read_text())] == []


def test_folders_are_left_out_only_where_none_of_their_tests_is_selected() -> None:
    usual = "not slow and not chaos and not peer and not gpu and not browser"
    assert all(is_left_out(TESTS / folder, usual) for folder in FOLDERS)
    assert not any(is_left_out(TESTS / folder, mark) for folder, mark in FOLDERS.items())
    assert not any(is_left_out(TESTS / folder, "") for folder in FOLDERS)
    assert not is_left_out(TESTS / "browser", "slow and not peer")
    assert not is_left_out(TESTS / "peers", f"{usual} or slow")
    assert not is_left_out(TESTS / "api" / "peers", usual)
