"""What libraries would send to their makers, and do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SESSION = "wherry.tasks.backends.onnx.session"


def _python(program: str, home: Path, **env: str) -> str:
    """Run a program as nobody has set anything: CI's own variables turn telemetry off, too."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command,
        env={**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **env},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_onnx_runtime_makes_no_id_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx brings it")
    program = f"""
import os, {SESSION}
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    assert _python(program, tmp_path) == "1"
    assert not list(tmp_path.rglob("deviceid*"))


def test_who_wants_it_can_have_it(tmp_path: Path) -> None:
    program = "import os, wherry.tasks.backends; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert _python(program, tmp_path, ORT_DISABLE_TELEMETRY="0") == "0"
