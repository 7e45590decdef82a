"""Programs that come in wheels of the group `lint`: validators of others' formats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Where a program is. Skips where it is not installed; in CI that is a fault."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        missing = f"{name} is not installed: make install-dev"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def run(
    name: str, *arguments: str | Path, cwd: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run one of them, without what the environment says of docker, kubectl or Wherry."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WHERRY_", "COMPOSE_"))}
    return subprocess.run(
        [program(name), *map(str, arguments)],
        cwd=cwd,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
