"""`wherry up --grpc-port`, and an API that was told to speak gRPC and cannot."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wherry.ops.ports import free_port
from wherry.ops.services import api_command
from wherry.ops.stack import Stack, StackError
from wherry.ops.up import _others

from ..support.models import model

MODELS = model("embedding")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(MODELS)
    return path


def test_the_port_is_among_the_ready_lines(models: Path, tmp_path: Path) -> None:
    stack = Stack(models=models, data_dir=tmp_path, grpc_port=1234)
    assert "gRPC 127.0.0.1:1234" in _others(stack)
    assert "gRPC" not in _others(Stack(models=models, data_dir=tmp_path))


def test_a_missing_extra_is_named_before_anything_starts(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without_grpc(name: str, *rest: Any) -> Any:
        return None if name == "grpc" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_grpc)
    stack = Stack(models=models, data_dir=tmp_path, grpc_port=0)
    with pytest.raises(StackError, match=r"pip install 'wherry\[grpc\]'"):
        stack.start()
    assert not stack.children


@pytest.mark.slow
def test_an_api_with_a_port_and_without_the_extra_says_so(models: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "grpc"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden by the test')")
    done = subprocess.run(
        api_command(free_port()),
        env={
            **os.environ,
            "PYTHONPATH": str(hidden.parent),
            "WHERRY_GRPC_PORT": str(free_port()),
            "WHERRY_MODELS": str(models),
            "WHERRY_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "gRPC is not installed: pip install 'wherry[grpc]'" in done.stderr
