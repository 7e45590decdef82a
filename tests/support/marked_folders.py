"""Folders of tests that all have one mark."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]

#: Folder -> the mark of all its tests.
FOLDERS = {"browser": "browser", "chaos": "chaos", "gpu": "gpu", "peers": "peer"}


def is_left_out(path: Path, expression: str) -> bool:
    """Whether it is a folder of which `-m expression` would leave nothing."""
    mark = FOLDERS.get(path.name) if path.parent == TESTS else None
    if mark is None or " or " in expression:
        return False
    return f"not {mark}" in expression.split(" and ")
