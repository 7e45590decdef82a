"""What is run by a folder is marked in that folder alone: elsewhere nobody would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


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
