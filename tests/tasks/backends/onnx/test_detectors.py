"""Detection dialects of other exporters: where boxes lie on the image that was sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.letterbox import Letterbox, placed
from wherry.tasks.backends.onnx.suppression import suppressed
from wherry.tasks.boxes import BoxesOutput, DetectedObject
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_anonymization import ImageAnonymizationOutput

from . import graphs

LABELS = {0: "boat", 1: "buoy"}


def picture(width: int, height: int, grey: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (grey,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def detect(
    folder: Path, images: list[bytes], threshold: float = 0.5, **parameters: Any
) -> list[list[DetectedObject]]:
    with create_task("onnxruntime", "object-detection", str(folder), parameters) as task:
        output = task.process(task.task.input.validated({"images": images, "threshold": threshold}))
    assert isinstance(output, BoxesOutput)
    return output.detections


def edges(found: DetectedObject) -> list[float]:
    return list(found.box.model_dump().values())


#: centre x, centre y, width, height, boat, buoy: one a column, in pixels of 64 x 64.
CANDIDATES = torch.tensor(
    [
        [32.0, 32.0, 16.0, 8.0, 0.5, 0.0],  # a boat, surer on bright images
        [33.0, 32.0, 16.0, 8.0, 0.0, 0.4],  # a buoy in the same place: the boat's shadow
        [48.0, 40.0, 8.0, 4.0, 0.0, 0.625],
        [0.0, 20.0, 20.0, 4.0, 0.75, 0.0],  # half of it beyond the edge
        *[[10.0, 50.0, 4.0, 4.0, 0.0, 0.0]] * 80,  # 84 in all: as many as 64 x 64 has cells
    ]
).T


def yolo(folder: Path, *, turned: bool = False, free: bool = False) -> Path:
    model = graphs.Yolo(CANDIDATES, turned=turned)
    image = torch.zeros(1, 3, 64, 64)
    return graphs.write(folder, model, image, ("images", ["output0"]), free=free, labels=LABELS)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("free", [False, True])
def test_yolo_boxes_lie_on_the_image_as_sent(tmp_path: Path, *, turned: bool, free: bool) -> None:
    folder = yolo(tmp_path / "yolo", turned=turned, free=free)
    # 100 x 50 becomes 64 x 32 with 16 lines of grey above: a factor of 0.64.
    wide, tall = detect(folder, [picture(100, 50), picture(32, 64, 255)], threshold=0.45)
    assert [(found.label, found.score) for found in wide[:2]] == [("boat", 0.75), ("buoy", 0.625)]
    assert edges(wide[0]) == pytest.approx([0, 3.125, 15.625, 9.375])
    assert edges(wide[1]) == pytest.approx([68.75, 34.375, 81.25, 40.625])
    assert [found.label for found in wide] == ["boat", "buoy", "boat"]
    assert edges(wide[2]) == pytest.approx([37.5, 18.75, 62.5, 31.25])
    # The other image is white in its middle half; it lies 16 columns to the right.
    score = 0.5 + 0.5 * (1 + 114 / 255) / 2
    assert tall[0].score == pytest.approx(score, abs=1e-5)
    assert edges(tall[0]) == pytest.approx([8, 28, 24, 36])


def test_yolo_threshold_and_suppression(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo")
    (sure,) = detect(folder, [picture(64, 64)], threshold=0.7)
    assert [found.score for found in sure] == [0.75]
    (all_of_them,) = detect(folder, [picture(64, 64)], threshold=0.0)
    assert len(all_of_them) == 4, "a buoy may lie on a boat"
    (agnostic,) = detect(folder, [picture(64, 64)], threshold=0.0, agnostic=True)
    assert len(agnostic) == 3, "but for who wants no two things in one place"
    (apart,) = detect(folder, [picture(64, 64)], threshold=0.0, agnostic=True, iou=0.95)
    assert len(apart) == 4, "they share 15 of 17 columns"
    with pytest.raises(ModelRefused, match="iou 1.5: use a number from 0 to 1"):
        detect(folder, [picture(64, 64)], iou=1.5)


def test_yolo_names_that_its_exporter_wrote_down(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo")
    (folder / "config.json").unlink()
    model = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(model, {"names": "{0: 'ship', 1: 'mark'}"})
    onnx.save(model, folder / "model.onnx")
    (found,) = detect(folder, [picture(64, 64)], threshold=0.6)
    assert [one.label for one in found] == ["ship", "mark"]


def test_letterbox_is_grey_around() -> None:
    box = Letterbox(None, None, Image.Resampling.BILINEAR, (1.0,) * 3, (0.0,) * 3, size=(64, 64))
    pixels = np.asarray(box.fit(Image.new("RGB", (10, 5), "red")))
    assert placed((10, 5), (64, 64)) == ((0, 16), (64, 32))
    assert (pixels[:16] == 114).all()
    assert (pixels[48:] == 114).all()
    assert (pixels[16:48] == (255, 0, 0)).all()


def test_suppression_keeps_the_surest_of_what_overlaps() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [3, 3, 7, 7], [0, 0, 0, 0]], dtype=np.float32)
    assert suppressed(boxes, np.array([0.5, 0.9, 0.7, 0.1], dtype=np.float32), 0.45) == [1, 2, 3]


#: Corners in pixels of what the graph sees.
BOXES = torch.tensor([[8.0, 16.0, 32.0, 48.0], [0.0, 0.0, 64.0, 64.0]])
SCORES = torch.tensor([0.75, 0.25])
CLASSES = torch.tensor([1, 0])


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 64, 64)])
def test_torchvision_boxes_are_scaled_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = graphs.Detector(BOXES, CLASSES, SCORES)
    names = ("input", ["boxes", "labels", "scores"])
    folder = graphs.write(tmp_path / "tv", model, torch.zeros(shape), names, labels=LABELS)
    wide, square = detect(folder, [picture(128, 32), picture(64, 64)], threshold=0.0)
    assert [(found.label, found.score) for found in wide] == [("buoy", 0.75), ("boat", 0.25)]
    assert [edges(found) for found in wide] == [[16, 8, 64, 24], [0, 0, 128, 32]]
    assert edges(square[0]) == [8, 16, 32, 48]


def test_torchvision_with_an_axis_for_the_batch(tmp_path: Path) -> None:
    many = [part[None].repeat_interleave(2, 0) for part in (BOXES, CLASSES, SCORES)]
    names = ("image", ["pred_boxes", "labels", "scores"])
    folder = graphs.write(
        tmp_path / "tv", graphs.Detector(*many), torch.zeros(2, 3, 64, 64), names, labels=LABELS
    )
    found = detect(folder, [picture(128, 32)] * 3)  # of two rows at once: the last is filled up
    assert [[edges(one) for one in row] for row in found] == [[[16, 8, 64, 24]]] * 3


@pytest.mark.parametrize("strategy", ["blur", "pixelate", "black_box"])
def test_anonymization_takes_every_detection_dialect(tmp_path: Path, strategy: str) -> None:
    folder = yolo(tmp_path / "yolo")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    counts, changed = [], []
    task = create_task("onnxruntime", "image-anonymization", str(folder))
    for classes in (None, ["buoy"], []):
        fields = {"images": [buffer.getvalue()], "strategy": strategy, "classes": classes}
        output = task.process(task.task.input.validated({**fields, "blur_radius": 9}))
        assert isinstance(output, ImageAnonymizationOutput)
        counts += output.num_regions_anonymized
        after = np.asarray(Image.open(io.BytesIO(output.anonymized_images[0])))
        changed.append({*map(tuple, np.argwhere((after != noise).any(axis=-1)))})
    assert counts == [3, 1, 0]
    assert changed[2] == set() < changed[1] < changed[0]
    assert {y for y, _ in changed[1]} <= {*range(38, 42)}
