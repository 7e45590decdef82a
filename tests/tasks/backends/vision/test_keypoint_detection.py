"""VitPose and SuperPoint against the models' own forward and processor, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.create import create_task
from wherry.tasks.vision.keypoint_detection import (
    Keypoint,
    KeypointDetectionInput,
    KeypointDetectionOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

TOLERANCE = 1e-3
POSES, POINTS = "keypoint-detection", "keypoint-detection-superpoint"

#: Per image of `tiny.images`, corners: two objects, the whole image, one, one partly outside.
BOXES: list[Any] = [[[5, 5, 45, 60], [0, 10, 20, 30]], [], [[3, 4, 100, 30]], [[-20, 60, 90, 300]]]


def rows(**fields: Any) -> list[KeypointDetectionInput]:
    return KeypointDetectionInput.validated({"images": tiny.images(), **fields}).rows()


def keypoints(answer: object) -> list[Keypoint]:
    assert isinstance(answer, KeypointDetectionOutput)
    return answer.keypoints[0]


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def pose_alone(folder: Path, data: bytes, corners: list[list[float]]) -> list[dict[str, Any]]:
    """VitPose and its processor for one image: an answer per box."""
    eye: Any = hf.AutoImageProcessor.from_pretrained(folder)
    model: Any = hf.VitPoseForPoseEstimation.from_pretrained(folder).eval()
    image = opened(data)
    corners = corners or [[0, 0, *image.size]]
    boxes = [[[float(x), float(y), float(r - x), float(b - y)] for x, y, r, b in corners]]
    with torch.inference_mode():
        out = model(**eye(image, boxes=boxes, return_tensors="pt"))
    (own,) = eye.post_process_pose_estimation(out, boxes=boxes)
    return list(own)


def test_all_boxes_of_a_batch_get_their_single_answers(tiny_model: Models) -> None:
    folder = tiny_model(POSES)
    task = create_task("transformers", "keypoint-detection", str(folder))
    answers = [keypoints(answer) for answer in task.backend.run(rows(boxes=BOXES))]
    for found, data, corners in zip(answers, tiny.images(), BOXES, strict=True):
        own = [
            (number, *place, score, label)
            for number, pose in enumerate(pose_alone(folder, data, corners))
            for place, score, label in zip(
                pose["keypoints"].tolist(),
                pose["scores"].tolist(),
                pose["labels"].tolist(),
                strict=True,
            )
            if score > 0
        ]
        names = task.backend.model.config.id2label  # type: ignore[attr-defined] # transformers'
        assert [(p.object, p.label) for p in found] == [(o[0], names[o[4]]) for o in own]
        for point, (_, x, y, score, _) in zip(found, own, strict=True):
            assert (point.x, point.y, point.score) == pytest.approx((x, y, score), abs=TOLERANCE)
    assert {point.object for point in answers[0]} == {0, 1}
    assert {point.label for found in answers for point in found} >= {"nose", "left_eye"}
    firsts = [found[0].score for found in answers]
    assert len({round(score, 4) for score in firsts}) == len(firsts)  # rows do differ


def test_one_forward_a_batch(tiny_model: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    task = create_task("transformers", "keypoint-detection", str(tiny_model(POSES)))
    sizes: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def counted(pixel_values: torch.Tensor) -> object:
        sizes.append(len(pixel_values))
        return forward(pixel_values=pixel_values)

    monkeypatch.setattr(model, "forward", counted)
    task.backend.run(rows(boxes=BOXES))
    assert sizes == [5]


def test_points_of_interest_equal_the_models_single_answers(tiny_model: Models) -> None:
    folder = tiny_model(POINTS)
    task = create_task("transformers", "keypoint-detection", str(folder))
    eye: Any = hf.AutoImageProcessor.from_pretrained(folder)
    model: Any = hf.SuperPointForKeypointDetection.from_pretrained(folder).eval()
    answers = [keypoints(answer) for answer in task.backend.run(rows())]
    for found, data in zip(answers, tiny.images(), strict=True):
        image = opened(data)
        with torch.inference_mode():
            out = model(**eye(image, return_tensors="pt"))
        (own,) = eye.post_process_keypoint_detection(out, [(image.height, image.width)])
        assert len(found) == len(own["scores"]) > 3
        assert {(p.label, p.object) for p in found} == {("keypoint", 0)}
        for point, place, score in zip(
            found, own["keypoints"].tolist(), own["scores"].tolist(), strict=True
        ):
            # Its processor cuts places down to whole pixels.
            assert 0 <= point.x - place[0] + 1e-4 < 1.001
            assert 0 <= point.y - place[1] + 1e-4 < 1.001
            assert point.score == pytest.approx(score, abs=TOLERANCE)
    places = {tuple((point.x, point.y) for point in found) for found in answers}
    assert len(places) == len(answers)  # rows do differ


@pytest.mark.parametrize("box", [[9, 9, 9, 20], [20, 9, 9, 20], [60, 10, 70, 20], [-9, -9, -1, -1]])
def test_a_box_that_shows_nothing_fails_its_row(box: list[int], tiny_model: Models) -> None:
    task = create_task("transformers", "keypoint-detection", str(tiny_model(POSES)))
    row = KeypointDetectionInput.validated({"images": tiny.images()[:1], "boxes": [[box]]})
    (answer,) = task.backend.run([row])
    assert isinstance(answer, RowError)
