"""OWL-ViT and OWLv2 against the models' own forward and processor, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.vision.zero_shot_object_detection import (
    ZeroShotObjectDetectionInput,
    ZeroShotObjectDetectionOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

TOLERANCE = 1e-4
MODELS = ("zero-shot-object-detection", "zero-shot-object-detection-owlv2")

#: Rows of one batch, each with labels of its own; some share them.
LABELS = (
    ["cat", "the lazy dog over a fox"],
    ["red car", "cat", "london"],
    ["london"],
    ["cat", "the lazy dog over a fox"],
)

Found = tuple[str, float, list[float]]  # label, score, corners


def rows(**fields: Any) -> list[ZeroShotObjectDetectionInput]:
    return [
        ZeroShotObjectDetectionInput(images=[data], candidate_labels=labels, **fields)
        for data, labels in zip(tiny.images(), LABELS, strict=True)
    ]


def found(answer: object) -> list[Found]:
    assert isinstance(answer, ZeroShotObjectDetectionOutput)
    return [
        (item.label, item.score, list(item.box.model_dump().values()))
        for item in answer.detections[0]
    ]


def alone(folder: Path, data: bytes, labels: list[str]) -> list[Found]:
    """The model's own answer to one image, surest first."""
    model: Any = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    eye: Any = hf.AutoImageProcessor.from_pretrained(folder)
    words = hf.AutoTokenizer.from_pretrained(folder)(
        labels, padding="max_length", truncation=True, return_tensors="pt"
    )
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.inference_mode():
        out = model(**words, **eye(images=[image], return_tensors="pt"))
    (own,) = eye.post_process_object_detection(
        out, threshold=0.0, target_sizes=torch.tensor([[image.height, image.width]])
    )
    order = own["scores"].argsort(descending=True, stable=True).tolist()
    return [
        (labels[int(own["labels"][i])], float(own["scores"][i]), own["boxes"][i].tolist())
        for i in order
    ]


@pytest.mark.parametrize("name", MODELS)
def test_rows_with_labels_of_their_own_get_their_single_answers(
    name: str, tiny_model: Models
) -> None:
    folder = tiny_model(name)
    task = create_task("transformers", "zero-shot-object-detection", str(folder))
    answers = [found(answer) for answer in task.backend.run(rows(threshold=0.0))]
    for answer, data, labels in zip(answers, tiny.images(), LABELS, strict=True):
        own = alone(folder, data, labels)
        assert len(answer) == len(own) == 16
        assert [score for _, score, _ in answer] == pytest.approx(
            [score for _, score, _ in own], abs=TOLERANCE
        )
        # Boxes tell objects apart where scores are all but equal.
        pairs = zip(
            sorted(answer, key=lambda f: f[2]), sorted(own, key=lambda f: f[2]), strict=True
        )
        for (label, _, box), (own_label, _, own_box) in pairs:
            assert label == own_label
            assert box == pytest.approx(own_box, abs=400 * TOLERANCE)
    assert len({label for answer in answers for label, _, _ in answer}) >= 2
    assert abs(answers[0][0][1] - answers[3][0][1]) > 10 * TOLERANCE  # rows do differ


def test_each_label_is_encoded_once_a_batch(
    tiny_model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create_task("transformers", "zero-shot-object-detection", str(tiny_model(MODELS[0])))
    sizes: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    for part in (model.owlvit.text_model, model.owlvit.vision_model):
        forward = part.forward

        def counted(*, forward: Any = forward, **given: Any) -> object:
            sizes.append(len(next(iter(given.values()))))
            return forward(**given)

        monkeypatch.setattr(part, "forward", counted)
    task.backend.run(rows())
    assert sizes == [4, 4]


def test_other_detectors_are_refused(tiny_model: Models) -> None:
    folder = str(tiny_model("zero-shot-image-classification"))
    with pytest.raises(ModelRefused, match="type clip does not do this task"):
        create_task("transformers", "zero-shot-object-detection", folder)
