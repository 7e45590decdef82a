"""Both backends against the model's own answer, row by row."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from wherry.protocol.errors import RowError
from wherry.tasks.backends.transformers.vision.base import VisionBackend
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)

from ....support import tiny

TOLERANCE = 1e-4
BACKENDS = ("transformers", "onnxruntime")


def own_scores(folder: Path, data: bytes, *, multi: bool = False) -> dict[str, float]:
    """The model's own answer: its processor, one image, one forward."""
    processor = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.inference_mode():
        logits = model(**processor(images=[image], return_tensors="pt")).logits[0]
    scores = logits.sigmoid() if multi else logits.softmax(-1)
    return {model.config.id2label[i]: float(score) for i, score in enumerate(scores)}


def classify(task: LocalTask, images: list[bytes]) -> list[dict[str, float]]:
    output = task.process(ImageClassificationInput(images=images))
    assert isinstance(output, ImageClassificationOutput)
    return [{result.label: result.score for result in row} for row in output.results]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("model", ["vit", "clip_like"])
def test_batch_equals_the_models_own_single_answers(
    backend: str, model: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(model)
    together = classify(create_task(backend, "image-classification", str(folder)), tiny.images())
    for answer, data in zip(together, tiny.images(), strict=True):
        assert answer == pytest.approx(own_scores(folder, data), abs=TOLERANCE)
    assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)  # rows do differ


def test_a_processor_we_do_not_know_does_its_own_work(processed: Path) -> None:
    task = create_task("transformers", "image-classification", str(processed))
    for answer, data in zip(classify(task, tiny.images()), tiny.images(), strict=True):
        assert answer == pytest.approx(own_scores(processed, data), abs=TOLERANCE)


def test_pixels_that_are_normalised_on_the_device_are_the_same(
    vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create_task("transformers", "image-classification", str(vit))
    images = tiny.images()
    before = classify(task, images)
    moved, to_device = list[torch.Tensor](), VisionBackend.to_device

    def seen(backend: VisionBackend, tensors: Mapping[str, torch.Tensor]) -> object:
        moved.append(tensors["pixel_values"])
        return to_device(backend, tensors)

    monkeypatch.setattr(VisionBackend, "normalises_there", True)  # as on a GPU
    monkeypatch.setattr(VisionBackend, "to_device", seen)
    for answer, expected in zip(classify(task, images), before, strict=True):
        assert answer == pytest.approx(expected, abs=1e-6)
    assert [(tensor.dtype, tensor.shape[1]) for tensor in moved] == [(torch.uint8, 3)]


def test_one_forward_a_batch(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = create_task("transformers", "image-classification", str(vit))
    sizes: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def counted(pixel_values: torch.Tensor) -> object:
        sizes.append(len(pixel_values))
        return forward(pixel_values=pixel_values)

    monkeypatch.setattr(model, "forward", counted)
    classify(task, tiny.images())
    assert sizes == [4]


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_labels_at_once(backend: str, tmp_path: Path) -> None:
    folder = tiny.vit(tmp_path / "multi", problem_type="multi_label_classification")
    (data,) = tiny.images()[:1]
    (answer,) = classify(create_task(backend, "image-classification", str(folder)), [data])
    assert answer == pytest.approx(own_scores(folder, data, multi=True), abs=TOLERANCE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_max_pixels_is_a_parameter(backend: str, vit: Path) -> None:
    task = create_task(backend, "image-classification", str(vit), {"max_pixels": 4000})
    small, large = task.backend.run(ImageClassificationInput(images=tiny.images()[:2]).rows())
    assert not isinstance(small, RowError)
    assert isinstance(large, RowError)


def test_bfloat16_is_close(vit: Path) -> None:
    task = create_task("transformers", "image-classification", str(vit), {"dtype": "bfloat16"})
    (data,) = tiny.images()[:1]
    assert classify(task, [data])[0] == pytest.approx(own_scores(vit, data), abs=0.05)
