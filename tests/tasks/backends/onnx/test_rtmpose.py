"""RTMPose as MMDeploy exports it, against MMPose's steps done with OpenCV and the runtime."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.image.cutout import cutout
from wherry.tasks.create import create_task

from ....support import tiny
from . import graphs

SIZE = (192, 256)
TASK = "keypoint-detection"
BOXES = [[20.0, 10.0, 90.0, 190.0], [-30.0, 40.0, 260.0, 80.0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graphs.rtmpose(tmp_path_factory.mktemp("rtmpose"))


def warped(image: NDArray[np.uint8], box: list[float]) -> tuple[Any, Any, Any]:
    """GetBBoxCenterScale and TopdownAffine: the part, its centre and its edges."""
    corners = np.array(box, dtype=np.float32)
    centre, (width, height) = (corners[2:] + corners[:2]) / 2, (corners[2:] - corners[:2]) * 1.25
    ratio = SIZE[0] / SIZE[1]
    edges = (width, width / ratio) if width > height * ratio else (height * ratio, height)
    scale = SIZE[0] / edges[0]
    shift = [SIZE[0] / 2 - scale * centre[0], SIZE[1] / 2 - scale * centre[1]]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(image, matrix, SIZE, flags=cv2.INTER_LINEAR), centre, np.array(edges)


def by_hand(folder: Path, picture: bytes, boxes: list[list[float]]) -> list[Any]:
    """x, y, score and object: PoseDataPreprocessor, SimCCLabel.decode and what maps back."""
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    found = []
    for number, box in enumerate(boxes):
        part, centre, edges = warped(image, box)
        values = (part - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        feed = {"input": values.transpose(2, 0, 1)[None].astype(np.float32)}
        x, y = session.run(["simcc_x", "simcc_y"], feed)
        scores = np.minimum(x.max(-1), y.max(-1))[0]
        places = np.stack([x.argmax(-1), y.argmax(-1)], -1)[0] / 2
        places = places / SIZE * edges + centre - edges / 2
        found += [(*place, score, number) for place, score in zip(places, scores, strict=True)]
    return found


def test_keypoints_are_mmposes(folder: Path) -> None:
    pictures = [tiny.encode(tiny.noise(120, 200)), tiny.encode(tiny.noise(301, 90))]
    expected = [
        by_hand(folder, pictures[0], BOXES),
        by_hand(folder, pictures[1], [[0, 0, 301, 90]]),
    ]
    with create_task("onnxruntime", TASK, str(folder)) as task:
        fields = {"images": pictures, "boxes": [BOXES, []]}
        together = task.process(task.task.input.validated(fields)).model_dump()["keypoints"]
        alone = [
            task.process(task.task.input.validated({"images": [p], "boxes": [b]}))
            for p, b in zip(pictures, [BOXES, []], strict=True)
        ]
    for told, row, one in zip(expected, together, alone, strict=True):
        for found in (row, one.model_dump()["keypoints"][0]):
            sure = [point for point in told if point[2] > 0]
            ours = [(p["x"], p["y"], p["score"], p["object"]) for p in found]
            np.testing.assert_allclose(ours, sure, atol=1e-3)
    assert {point["label"] for point in together[0]} <= {f"LABEL_{n}" for n in range(17)}


@pytest.mark.parametrize("box", BOXES)
def test_a_part_is_cut_out_as_by_opencv(box: list[float]) -> None:
    image = np.asarray(tiny.noise(120, 200).convert("RGB"))
    part, centre, edges = warped(image, box)
    ours = cutout(image, (float(centre[0]), float(centre[1])), float(edges[0]) / SIZE[0], SIZE)
    assert np.abs(ours.astype(int) - part).max() <= 1


def test_words_that_it_has_no_use_for_and_a_free_size_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefused, match="resample: dialect 'rtmpose' cuts parts out as MMPose"):
        create_task("onnxruntime", TASK, str(folder), {"resample": "box"})
    labels = {"labels": [f"joint {n}" for n in range(16)]}
    with pytest.raises(ModelRefused, match="names 16 classes, the graph has 17"):
        create_task("onnxruntime", TASK, str(folder), labels)
    model = onnx.load(folder / "model.onnx")
    for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param = "free"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelRefused, match="the size of the graph's images is free"):
        create_task("onnxruntime", TASK, str(tmp_path))
