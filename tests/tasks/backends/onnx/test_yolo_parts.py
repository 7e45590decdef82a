"""Masks and keypoints of YOLO, as Ultralytics makes them of what its graphs give."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.letterbox import Letterbox
from wherry.tasks.create import create_task

from . import graphs
from .test_yolo import BUS_BOX, BUS_EDGES, CELLS, ULTRALYTICS, WIDE, first, found, picture, rows

SEGMENT = {**ULTRALYTICS, "task": "segment", "head": "Segment"}
POSE = {
    **ULTRALYTICS,
    "task": "pose",
    "head": "Pose",
    "names": "{0: 'person', 1: 'bus'}",
    "kpt_shape": "[2, 3]",
}

#: The graph's image is half red, half blue, to the left and to the right of its middle.
MAPS = np.ones((1, 2, 16, 16), dtype=np.float32)
MAPS[0, 0, :, 8:] = -1

#: A bus whose mask is the left map; a cat whose mask is nowhere.
OBJECTS = [[*BUS_BOX, 0, 0.75, 0, 1, 0], [20, 32, 8, 8, 0, 0, 0.5, 0, -1]]
RAW = first(rows(CELLS, *OBJECTS))
FINAL = np.zeros((1, 300, 8), dtype=np.float32)
FINAL[0, :2] = [[16, 28, 24, 36, 0.5, 2, 0, -1], [24, 28, 40, 36, 0.75, 1, 1, 0]]
END2END = {**SEGMENT, "end2end": "True"}


def segmenter(
    folder: Path,
    values: NDArray[Any] = RAW,
    metadata: dict[str, str] = SEGMENT,
    maps: NDArray[Any] = MAPS,
) -> Path:
    outputs = {"output0": values.astype(np.float32), "output1": maps}
    return graphs.constant(folder, outputs, metadata=metadata)


def answered(folder: Path, task: str, images: list[bytes], given: Any = None, **fields: Any) -> Any:
    with create_task("onnxruntime", task, str(folder), given or {}) as served:
        return served.process(served.task.input.validated({"images": images, **fields}))


def mask_of(segment: Any) -> NDArray[np.bool_]:
    return np.asarray(Image.open(io.BytesIO(segment.mask))) > 0


@pytest.mark.parametrize(
    ("values", "metadata"),
    [(RAW, SEGMENT), (FINAL, END2END), (FINAL, {**SEGMENT, "args": "{'nms': True}"})],
)
def test_a_mask_is_the_sum_of_maps_within_its_box(
    tmp_path: Path, values: NDArray[Any], metadata: dict[str, str]
) -> None:
    folder = segmenter(tmp_path / "yolo", values, metadata)
    output = answered(folder, "image-segmentation", [WIDE, WIDE], threshold=0.25)
    for segments in output.segments:
        (bus,) = segments  # the cat's mask is empty: Ultralytics leaves such out
        assert (bus.label, bus.score) == ("bus", 0.75)
        expected = np.zeros((64, 128), dtype=np.bool_)
        expected[24:40, 48:64] = True
        assert np.array_equal(mask_of(bus), expected)
    output = answered(
        folder, "image-segmentation", [WIDE], threshold=0.25, mask_threshold=0.6
    )  # log(0.6 / 0.4) = 0.405, and the map falls from 1 to -1 on 8 pixels
    assert mask_of(output.segments[0][0]).sum() == 16 * 14
    labels = [one[:2] for one in found(folder, WIDE)]
    assert labels == [("bus", 0.75), ("cat", 0.5)], "boxes are an object detector's answer"


@pytest.mark.parametrize("size", [(61, 127), (64, 64), (90, 31)])
def test_masks_are_upsampled_as_by_torch(tmp_path: Path, size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype(np.float32)
    weights = [0.5, -1.0, 0.25]
    values = first(rows(CELLS, [32, 32, 64, 64, 0, 0.75, 0, *weights]))
    folder = segmenter(tmp_path / "yolo", values, maps=maps)
    output = answered(folder, "image-segmentation", [picture(*size)], threshold=0.25)
    whole = torch.tensor(np.tensordot(np.array(weights, np.float32), maps[0], 1))[None, None]
    # Four times as large as the maps, the image lies on whole pixels of the letterbox.
    scale = 64 / max(size)
    wide, high = (round(edge * scale) for edge in size)
    left, top = round((64 - wide) / 2 - 0.1), round((64 - high) / 2 - 0.1)
    grey = (64 - wide) | (64 - high)
    step = next(n for n in (4, 2, 1) if grey % n == 0 and grey // 2 % n == 0)
    bilinear: Any = {"mode": "bilinear"}
    if step < 4:
        whole = torch.nn.functional.interpolate(whole, scale_factor=4 / step, **bilinear)
    part = [edge // step for edge in (top, top + high, left, left + wide)]
    cut = whole[..., part[0] : part[1], part[2] : part[3]]
    expected = torch.nn.functional.interpolate(cut, (size[1], size[0]), **bilinear)[0, 0] > 0
    assert np.array_equal(mask_of(output.segments[0][0]), expected.numpy())


def test_instances_are_the_only_segments(tmp_path: Path) -> None:
    folder = segmenter(tmp_path / "yolo")
    with pytest.raises(RowError, match="no semantic segmentation; it has instance"):
        answered(folder, "image-segmentation", [WIDE], subtask="semantic")


@pytest.mark.parametrize(
    ("values", "metadata", "given", "why"),
    [
        (RAW, {}, {}, "the file says no task"),
        (RAW, {**SEGMENT, "task": "detect"}, {}, "its task is 'detect'"),
        (RAW[:, :-1], SEGMENT, {}, "fit no YOLO of 3 class names and 2 numbers more"),
        (FINAL, SEGMENT, {}, "fit no YOLO of 3 class names"),  # it says that it is not end to end
        (FINAL, END2END, {"iou": 0.5}, "iou, agnostic and max_det are of no use"),
        (RAW, SEGMENT, {"iou": 1.5}, "iou 1.5: use a number from 0 to 1"),
        (RAW, SEGMENT, {"max_det": 0}, "max_det 0: use a number from 1"),
    ],
)
def test_what_is_no_such_segmenter_is_refused(
    tmp_path: Path, values: NDArray[Any], metadata: dict[str, str], given: Any, why: str
) -> None:
    folder = segmenter(tmp_path / "yolo", values, metadata)
    with pytest.raises(ModelRefused, match=why) as said:
        create_task("onnxruntime", "image-segmentation", str(folder), given)
    assert "\n" not in str(said.value)


#: Two keypoints in the middle of the image and at its left upper corner, one of them surer.
POINTS = [32.0, 32.0, 0.75, 0.0, 16.0, 0.125]
PERSON = first(rows(CELLS, [*BUS_BOX, 0.5, 0, *POINTS], [20, 32, 8, 8, 0, 0.75, *POINTS]))
PERSON_FINAL = np.zeros((1, 300, 12), dtype=np.float32)
PERSON_FINAL[0, :2] = [
    [24, 28, 40, 36, 0.5, 0, *POINTS],
    [16, 28, 24, 36, 0.75, 1, *POINTS],
]


@pytest.mark.parametrize(
    ("values", "metadata"), [(PERSON, POSE), (PERSON_FINAL, {**POSE, "end2end": "True"})]
)
def test_keypoints_are_those_of_each_object_in_turn(
    tmp_path: Path, values: NDArray[Any], metadata: dict[str, str]
) -> None:
    named = {**metadata, "kpt_names": "{0: ['nose', 'tail'], 1: ['left', 'right']}"}
    folder = graphs.constant(
        tmp_path / "yolo", {"output0": values.astype(np.float32)}, metadata=named
    )
    output = answered(folder, "keypoint-detection", [WIDE])
    told = [(one.label, one.score, one.x, one.y, one.object) for one in output.keypoints[0]]
    places = [(0.75, 64.0, 32.0), (0.125, 0.0, 0.0)]  # the letterbox halves, and adds 16 lines
    assert told == [
        ("left", *places[0], 0),
        ("right", *places[1], 0),
        ("nose", *places[0], 1),
        ("tail", *places[1], 1),
    ]
    sure = answered(folder, "keypoint-detection", [WIDE], threshold=0.5)
    assert [one.label for one in sure.keypoints[0]] == ["left", "nose"]
    surer = answered(folder, "keypoint-detection", [WIDE], {"conf": 0.6})
    assert [one.label for one in surer.keypoints[0]] == ["left", "right"]
    with pytest.raises(RowError, match="boxes: this model searches whole images"):
        answered(folder, "keypoint-detection", [WIDE], boxes=[[[1, 1, 5, 5]]])
    assert [one[0] for one in found(folder, WIDE)] == ["bus", "person"]


def test_keypoints_have_names_where_any_are_known(tmp_path: Path) -> None:
    points = [1.0] * (17 * 2)
    people = {**POSE, "names": "{0: 'person'}", "kpt_shape": "[17, 2]"}
    one = first(rows(CELLS, [*BUS_BOX, 0.5, *points]))
    for name, metadata, expected in (
        ("people", people, ["nose", "left_eye"]),
        ("dogs", {**people, "names": "{0: 'dog'}"}, ["LABEL_0", "LABEL_1"]),
    ):
        folder = graphs.constant(
            tmp_path / name, {"output0": one.astype(np.float32)}, metadata=metadata
        )
        (found_points,) = answered(folder, "keypoint-detection", [WIDE]).keypoints
        assert [point.label for point in found_points[:2]] == expected
        assert {point.score for point in found_points} == {0.5}, "two numbers tell no score"


def test_a_graph_of_free_size_sees_as_little_grey_as_its_stride_allows(tmp_path: Path) -> None:
    letterbox = Letterbox.of((640, 640), stride=32)
    for size, expected in (
        ((1280, 720), (640, 384)),
        ((640, 640), (640, 640)),
        ((100, 300), (224, 640)),
        ((1, 4000), (32, 640)),
    ):
        assert letterbox.fit(Image.new("RGB", size)).size == expected
    folder = graphs.constant(
        tmp_path / "yolo",
        {"output0": first(rows(CELLS, [32, 16, 16, 8, 0, 0.75, 0])).astype(np.float32)},
        image=("images", ("batch", 3, "height", "width")),
        metadata=ULTRALYTICS,
    )
    assert found(folder, WIDE) == [("bus", 0.75, *BUS_EDGES)]


def test_a_graph_with_suppression_of_its_own_sees_each_row_alone(tmp_path: Path) -> None:
    # Exported for one row and a free batch, it answers the first alone, whatever it is given.
    one = np.zeros((1, 300, 6), dtype=np.float32)
    one[0, 0] = [24, 28, 40, 36, 0.5, 1]
    gain = np.zeros_like(one)
    gain[0, 0, 4] = 0.25
    folder = graphs.constant(
        tmp_path / "yolo",
        {"output0": one},
        image=("images", ("batch", 3, 64, 64)),
        brightness={"output0": gain},
        metadata={**ULTRALYTICS, "args": "{'nms': True, 'batch': 1}"},
    )
    white = picture(64, 64, 255)
    output = answered(folder, "object-detection", [picture(), white, picture()], threshold=0.25)
    assert [row[0].score for row in output.detections] == [0.5, 0.75, 0.5]
