"""Ultralytics' remote model, `YOLO("http://host:port/model")`, over a raw graph of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wherry.ops.stack import Stack

from ..support import tiny
from ..support.models import model
from .conftest import Environment
from .test_ultralytics import PACKAGES, SAME

# Torch and OpenCV come along: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

CLIENT = "ultralytics==8.4.190"


@pytest.mark.call(CLIENT, 'YOLO("http://host:port/model"), YOLO("grpc://host:port/model")')
def test_the_remote_model_finds_what_the_file_does(
    environment: Environment, drive: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(2)]
    for picture, size in zip(pictures, [(200, 120), (301, 427)], strict=True):
        picture.write_bytes(tiny.encode(tiny.noise(*size)))
    python = environment(
        "ultralytics-remote", *PACKAGES, "tritonclient[http,grpc]==2.73.0", same=SAME
    )
    drive(python, "ultralytics_remote.py", tmp_path, "export")
    models = tmp_path / "models.toml"
    models.write_text(model("yolo", "tensor", backend="onnxruntime", source="yolo"))
    with Stack(models=models, data_dir=tmp_path / "data", flower=False, grpc_port=0) as stack:
        for url in (f"{stack.url}/yolo", f"grpc://{stack.grpc_url}/yolo"):
            told = drive(python, "ultralytics_remote.py", tmp_path, "ask", url, *pictures)
            assert len(told) == 2
            for line in told:
                assert line["own"], "the file's own predictor finds nothing to compare"
                assert np.allclose(line["remote"], line["own"], atol=1e-2)
