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

from wherry.tasks.backends.base import ModelRefused
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

#: What half precision moves a score by, and an edge in pixels of the image.
COARSE, FINE = (5e-3, 2.0), (1e-3, 0.5)

Told = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yolo")


@pytest.fixture(scope="module")
def told(environment: Environment, drive: Callable[..., Told], folder: Path) -> Told:
    """What Ultralytics finds: graph, picture, boxes."""
    pictures = [folder / f"{number}.png" for number in range(2)]
    for picture, size in zip(pictures, [(200, 120), (301, 427)], strict=True):
        picture.write_bytes(tiny.encode(tiny.noise(*size)))
    python = environment("ultralytics", *PACKAGES, same=SAME)
    return drive(python, "ultralytics_export.py", folder, *pictures)


def answers(told: Told, folder: Path, task: str, field: str, **fields: Any) -> list[Any]:
    """Each line of a field with what we answer to its picture, both pictures in one batch."""
    lines = [line for line in told if field in line]
    found: list[Any] = []
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        assert first["graph"] == second["graph"]
        images = [(folder / line["picture"]).read_bytes() for line in (first, second)]
        with create_task("onnxruntime", task, str(folder / first["graph"])) as served:
            output = served.process(served.task.input.validated({"images": images, **fields}))
        rows = output.model_dump().popitem()[1]
        found += zip((first, second), rows, strict=True)
    return found


def strays(ours: list[Any], theirs: list[Any], by: float, pixels: float) -> list[Any]:
    """Those of theirs that are none of ours. Boxes of one score come in any order."""
    left, strays = list(ours), []
    for label, score, *edges in theirs:
        for one in left:
            near = np.abs(np.subtract(one[2:], edges)).max() <= pixels
            if one[0] == label and abs(one[1] - score) <= by and near:
                left.remove(one)
                break
        else:
            strays.append((label, score, *edges))
    return strays


def test_boxes_are_those_of_its_predictor(told: Told, folder: Path) -> None:
    found = answers(told, folder, "object-detection", "boxes", threshold=SURE)
    assert len(found) == 26
    for line, row in found:
        ours = [[one["label"], one["score"], *one["box"].values()] for one in row]
        by, pixels = COARSE if "half" in line["graph"] else FINE
        assert len(line["boxes"]) > 20, line["graph"]
        astray = strays(ours, line["boxes"], by, pixels)
        # In half precision scores are alike, and of two that overlap another may stay.
        most = 0.05 * len(ours) if "half" in line["graph"] else 0
        assert len(astray) <= most, (line["graph"], astray)
        if "masks" not in line:  # objects without a pixel are left out there, and not here
            assert len(ours) == pytest.approx(len(line["boxes"]), abs=most)


def test_masks_are_those_of_its_predictor(told: Told, folder: Path) -> None:
    found = answers(told, folder, "image-segmentation", "masks", threshold=SURE)
    assert len(found) == 6
    for line, row in found:
        assert len(row) == len(line["masks"]) > 0, line["graph"]
        for one, count, (label, score, *_) in zip(row, line["masks"], line["boxes"], strict=True):
            assert one["label"] == label
            assert one["score"] == pytest.approx(score, abs=1e-3)
            mask = np.asarray(Image.open(io.BytesIO(one["mask"]))) > 0
            assert abs(int(mask.sum()) - count) <= max(8, 0.002 * mask.size)


def test_keypoints_are_those_of_its_predictor(told: Told, folder: Path) -> None:
    found = answers(told, folder, "keypoint-detection", "keypoints", threshold=0.0)
    assert len(found) == 6
    for line, row in found:
        theirs = np.array(line["keypoints"]).reshape(-1, 17, 3)
        ours = np.array([[one["x"], one["y"], one["score"]] for one in row]).reshape(-1, 17, 3)
        assert len(ours) == len(theirs) > 0, line["graph"]
        assert theirs[..., 2].min() > 0
        # Objects of one score come in any order.
        apart = np.abs(ours[:, None] - theirs[None]).max(axis=2) <= (0.5, 0.5, 1e-3)
        same = apart.all(axis=2)
        assert same.any(axis=0).all(), line["graph"]
        assert same.any(axis=1).all(), line["graph"]


def test_turned_boxes_are_refused_by_name(told: Told, folder: Path) -> None:
    with pytest.raises(ModelRefused, match="task is 'obb'; turned boxes, which no task"):
        create_task("onnxruntime", "object-detection", str(folder / "yolo11n-obb-fixed"))
