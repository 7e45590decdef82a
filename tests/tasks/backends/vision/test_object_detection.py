"""Both backends against the model's own answer, row by row."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.boxes import DetectedObject
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

from ....support import tiny

TOLERANCE = 1e-4
BACKENDS = ("transformers", "onnxruntime")


def own_objects(folder: Path, data: bytes) -> list[tuple[str, float, list[float]]]:
    """The model's own answer, surest first; boxes relative, so that one tolerance fits all."""
    processor: Any = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForObjectDetection.from_pretrained(folder).eval()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    inputs = processor(images=[image], return_tensors="pt")
    with torch.inference_mode():
        out = model(**inputs)
    (found,) = processor.post_process_object_detection(
        out, threshold=0.0, target_sizes=[(image.height, image.width)]
    )
    order = found["scores"].argsort(descending=True)
    return [
        (
            model.config.id2label[int(found["labels"][i])],
            float(found["scores"][i]),
            relative(found["boxes"][i].tolist(), image.size),
        )
        for i in order
    ]


def relative(box: list[float], size: tuple[int, int]) -> list[float]:
    return [edge / size[axis % 2] for axis, edge in enumerate(box)]


def edges(found: DetectedObject) -> list[float]:
    return [found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax]


def detect(task: LocalTask, images: list[bytes]) -> list[list[DetectedObject]]:
    output = task.process(ObjectDetectionInput(images=images, threshold=0.0))
    assert isinstance(output, ObjectDetectionOutput)
    return output.detections


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("model", ["yolos", "detr"])
def test_batch_equals_the_models_own_single_answers(
    backend: str, model: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(model)
    together = detect(create_task(backend, "object-detection", str(folder)), tiny.images())
    for objects, data in zip(together, tiny.images(), strict=True):
        size = Image.open(io.BytesIO(data)).size
        own = own_objects(folder, data)
        assert len(objects) == len(own) == 5
        for found, (label, score, box) in zip(objects, own, strict=True):
            assert found.label == label
            assert found.score == pytest.approx(score, abs=TOLERANCE)
            assert relative(edges(found), size) == pytest.approx(box, abs=TOLERANCE)


def test_detr_is_told_what_is_padding(detr: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(detr, tmp_path / "padded")
    tiny.edit_json(folder / "preprocessor_config.json", pad_size={"height": 100, "width": 110})
    task = create_task("transformers", "object-detection", str(folder))
    together = detect(task, tiny.images())
    for found, data in zip(together, tiny.images(), strict=True):
        own = [score for _, score, _ in own_objects(folder, data)]
        assert [one.score for one in found] == pytest.approx(own, abs=TOLERANCE)
        alone = [one.score for one in detect(task, [data])[0]]
        assert alone == pytest.approx(own, abs=TOLERANCE)


@pytest.mark.parametrize("fast", [True, False])
def test_yolos_whose_images_keep_their_aspect_ratio(tmp_path: Path, *, fast: bool) -> None:
    folder = tiny.yolos(tmp_path / "free", size={"shortest_edge": 64, "longest_edge": 96})
    task = create_task("transformers", "object-detection", str(folder))
    if not fast:
        # The model's own processor does the work. Padded into one batch the rows would differ by
        # 4e-4: YOLOS ignores the pixel_mask that its processor makes.
        task.backend.pixels = None  # type: ignore[attr-defined] # a VisionBackend
    for objects, data in zip(detect(task, tiny.images()), tiny.images(), strict=True):
        scores = [score for _, score, _ in own_objects(folder, data)]
        assert [found.score for found in objects] == pytest.approx(scores, abs=TOLERANCE)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("model", "forwards"), [("yolos", [4]), ("detr", [2, 1, 1])])
def test_one_forward_for_each_size_that_the_model_sees(
    backend: str,
    model: str,
    forwards: list[int],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = create_task(backend, "object-detection", str(request.getfixturevalue(model)))
    sizes: list[int] = []
    held = task.backend.device.compute

    def counted() -> Any:
        sizes.append(0)
        return held()

    monkeypatch.setattr(task.backend.device, "compute", counted)
    images = tiny.images()
    detect(task, [images[0], images[1], images[2], images[0]])
    assert len(sizes) == len(forwards)


def test_a_graph_that_does_not_fit_says_what_it_has(vit: Path) -> None:
    with pytest.raises(ModelRefused, match=r"pixel_values.*logits.*transformers-yolos"):
        create_task("onnxruntime", "object-detection", str(vit))
