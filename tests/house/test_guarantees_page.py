"""docs/guarantees.md promises nothing without a test, and names tests that are there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text()

#: `[words](../tests/room/test_file.py)`, then `::test_name` in code.
_LINK = re.compile(r"\[`([\w.]+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def rows() -> list[tuple[str, list[tuple[str, str]]]]:
    """Promise and tests of every line of a table with promises."""
    promises, _, _ = PAGE.partition("## What is not promised")
    lines = [line for line in promises.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        (row[0], _LINK.findall(row[1]))
        for row in cells
        if row[0] not in ("promise", "") and not set(row[0]) <= set("-: ")
    ]


@functools.cache
def names_in(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names = [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
        if isinstance(node, ast.ClassDef):
            methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
            names = [node.name, *methods]
        found.update(names)
        # A stateful test of hypothesis is bound to a name.
        if isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_a_promise_names_tests_that_are_there(row: tuple[str, list[tuple[str, str]]]) -> None:
    promise, tests = row
    assert tests, f"no test holds: {promise}"
    for name, path in tests:
        assert name in names_in(ROOT / path), f"{path} has no {name}"


def test_every_fault_that_is_injected_stands_there() -> None:
    named = {path for _, tests in rows() for _, path in tests}
    chaos = {f"tests/chaos/{file.name}" for file in (ROOT / "tests/chaos").glob("test_*.py")}
    assert chaos <= named, f"not in docs/guarantees.md: {sorted(chaos - named)}"
