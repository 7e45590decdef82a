"""YOLO as Ultralytics itself exports it, answered here as its own predictor answers.

Weights are random: no trained ones can be had without a download.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.tasks.create import create_task

from ..support import tiny
from .conftest import Environment

# Torch and OpenCV come along: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

PACKAGES = (
    *("--no-deps ultralytics==8.4.190", "--no-deps ultralytics-thop==2.2.3"),
    *("matplotlib", "onnx", "onnxslim", "opencv-python-headless", "polars", "psutil", "pyyaml"),
    *("requests", "scipy"),
)
SAME = ("torch", "onnxruntime", "numpy", "pillow")

#: Least score of what is compared, as Ultralytics' own default.
SURE = 0.25


@pytest.fixture(scope="module")
def told(
    environment: Environment, drive: Callable[..., list[dict[str, Any]]], folder: Path
) -> list[dict[str, Any]]:
    """What Ultralytics finds: graph, picture, boxes."""
    pictures = [folder / f"{number}.png" for number in range(2)]
    for picture, size in zip(pictures, [(200, 120), (301, 427)], strict=True):
        picture.write_bytes(tiny.encode(tiny.noise(*size)))
    python = environment("ultralytics", *PACKAGES, same=SAME)
    return drive(python, "ultralytics_export.py", folder, *pictures)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yolo")


def answer(folder: Path, line: dict[str, Any], task: str, **fields: Any) -> Any:
    picture = (folder / line["picture"]).read_bytes()
    given = {"iou": 0.7, "max_det": 20}
    with create_task("onnxruntime", task, str(folder / line["graph"]), given) as served:
        return served.process(served.task.input.validated({"images": [picture], **fields}))


def test_boxes_are_those_of_its_predictor(told: list[dict[str, Any]], folder: Path) -> None:
    assert len(told) == 12
    for line in told:
        if "masks" in line:
            continue  # objects without a pixel are left out there, and not here
        (found,) = answer(folder, line, "object-detection", threshold=SURE).detections
        assert len(found) == len(line["boxes"]) > 0
        for one, (label, score, *edges) in zip(found, line["boxes"], strict=True):
            assert (one.label, one.score) == (label, pytest.approx(score, abs=1e-3))
            assert [*one.box.model_dump().values()] == pytest.approx(edges, abs=0.5)


def test_masks_are_those_of_its_predictor(told: list[dict[str, Any]], folder: Path) -> None:
    lines = [line for line in told if "masks" in line]
    assert len(lines) == 4
    for line in lines:
        (found,) = answer(folder, line, "image-segmentation", threshold=SURE).segments
        masks = [np.asarray(Image.open(io.BytesIO(one.mask))) > 0 for one in found]
        for one, mask, count, (label, score, *_) in zip(
            found, masks, line["masks"], line["boxes"], strict=True
        ):
            assert (one.label, one.score) == (label, pytest.approx(score, abs=1e-3))
            assert abs(int(mask.sum()) - count) <= max(8, 0.002 * mask.size)


def test_keypoints_are_those_of_its_predictor(told: list[dict[str, Any]], folder: Path) -> None:
    lines = [line for line in told if "keypoints" in line]
    assert len(lines) == 4
    for line in lines:
        (found,) = answer(folder, line, "keypoint-detection").keypoints
        expected = np.array(line["keypoints"]).reshape(-1, 3)
        expected = expected[expected[:, 2] > 0]
        seen = np.array([[one.x, one.y, one.score] for one in found])
        assert seen[:, :2] == pytest.approx(expected[:, :2], abs=0.5)
        assert seen[:, 2] == pytest.approx(expected[:, 2], abs=1e-3)
