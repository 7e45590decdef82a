"""Files of the folder in which a fleet is started: none is run in a module's place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from wherry.ops.stack import Stack

from ..support.models import model

#: Modules that services import, of the standard library, of packages, and Python's own hooks.
NAMES = (
    *("celery", "random", "triton", "torch", "uvicorn", "flower", "redis", "numpy", "json"),
    *("logging", "tornado", "click", "kombu", "celeryconfig", "sitecustomize", "wherry", "typer"),
)

MODELS = model("a", "embedding")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; each file in it leaves a mark when it is run."""
    for name in NAMES:
        mark = tmp_path / f"ran-{name}"
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (tmp_path / "models.toml").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_service_runs_a_file_of_the_current_folder(folder: Path) -> None:
    with Stack(models=folder / "models.toml", data_dir=folder / "data") as stack:
        assert httpx.get(f"{stack.url}/v2/health/ready").status_code == 200
        # Celery's remote control imports on demand.
        httpx.get(f"{stack.flower_url}/api/workers?refresh=1", timeout=30)
    assert list(folder.glob("ran-*")) == []


@pytest.mark.parametrize(
    "arguments",
    [["version"], ["check"], ["worker", "text"], ["worker", "--help"], ["tasks"]],
    ids=" ".join,
)
def test_no_command_runs_a_file_of_the_current_folder(folder: Path, arguments: list[str]) -> None:
    wherry = shutil.which("wherry", path=str(Path(sys.executable).parent))
    assert wherry is not None
    if arguments == ["worker", "text"]:
        (folder / "models.toml").write_text("[[")  # it ends after it has imported all
    subprocess.run([wherry, *arguments], capture_output=True, timeout=60, env=_without_settings())
    assert list(folder.glob("ran-*")) == []


def test_celery_a_would_run_them(folder: Path) -> None:
    """Why services are not started with `celery -A`."""
    command = [sys.executable, "-P", "-m", "celery", "-A", "wherry.workers.app", "report"]
    subprocess.run(command, capture_output=True, timeout=60, env=_without_settings())
    assert list(folder.glob("ran-*")) != []


def _without_settings() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("WHERRY_")}
