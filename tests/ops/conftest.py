"""A copy of the repository, for tests that change it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.name for path in (ROOT / "src/wherry").iterdir() if path.is_symlink())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package, of the tests of tasks, and of the pages that they read."""
    for folder in (*ROOMS, "tests/support", "tests/tasks", "docs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "wherry"
    package.mkdir(parents=True)
    for room in ROOMS:
        (package / room).symlink_to(Path("../..") / room)
    shutil.copy(ROOT / "src/wherry/__init__.py", package)
    return tmp_path


@pytest.fixture
def run(checkout: Path) -> Callable[..., str]:
    """Runs a module in the copy, with the copy's package. Answers what it printed."""

    def call(module: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout / "src")},
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return call
