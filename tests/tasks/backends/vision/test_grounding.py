"""Grounding DINO's kin and OmDet against their processors' own call, each row alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.utils.import_utils import is_torchvision_available

from wherry.tasks.create import create_task
from wherry.tasks.vision.zero_shot_object_detection import (
    ZeroShotObjectDetectionInput,
    ZeroShotObjectDetectionOutput,
)

from ....support import tiny

TOLERANCE = 1e-3

#: Rows of one batch, each with labels of its own; the first and the last share a forward.
LABELS = (["cat", "the dog"], ["Red car", "cat", "london"], ["london"], ["fox", "a car"])

Found = list[tuple[str, float, list[float]]]  # label, score, corners


def _answers(folder: Path, threshold: float, *, together: bool = True) -> list[Found]:
    task = create_task("transformers", "zero-shot-object-detection", str(folder))
    rows = [
        ZeroShotObjectDetectionInput(images=[data], candidate_labels=labels, threshold=threshold)
        for data, labels in zip(tiny.images(), LABELS, strict=True)
    ]
    answers = []
    batches = [rows] if together else [[row] for row in rows]
    for answer in [answer for batch in batches for answer in task.backend.run(batch)]:
        assert isinstance(answer, ZeroShotObjectDetectionOutput), answer
        answers.append(
            [
                (item.label, item.score, list(item.box.model_dump().values()))
                for item in answer.detections[0]
            ]
        )
    return answers


def _documented(folder: Path, threshold: float) -> list[Found]:
    model: Any = hf.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    answers = []
    for data, labels in zip(tiny.images(), LABELS, strict=True):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        inputs = processor(images=image, text=[labels], return_tensors="pt")
        with torch.inference_mode():
            out = model(**inputs)
        (own,) = processor.post_process_grounded_object_detection(
            out, threshold=threshold, target_sizes=[(image.height, image.width)]
        )
        answers.append(
            sorted(
                zip(own["text_labels"], own["scores"].tolist(), own["boxes"].tolist(), strict=True),
                key=lambda found: -found[1],
            )
        )
    return answers


def _same(answers: list[Found], expected: list[Found]) -> None:
    for answer, own in zip(answers, expected, strict=True):
        assert [label for label, *_ in answer] == [label for label, *_ in own]
        for (_, score, box), (_, own_score, own_box) in zip(answer, own, strict=True):
            assert score == pytest.approx(own_score, abs=TOLERANCE)
            assert box == pytest.approx(own_box, abs=0.1)


_OMDET = pytest.param(
    "omdet-turbo",
    marks=pytest.mark.skipif(
        not is_torchvision_available(), reason="its own post-processing needs torchvision"
    ),
)


@pytest.mark.parametrize(
    "name",
    ["grounding-dino", pytest.param("mm-grounding-dino", marks=pytest.mark.slow), _OMDET],
)
def test_labels_are_one_text_of_the_processors_form(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    folder = tiny_model(f"zero-shot-object-detection-{name}")
    expected = _documented(folder, threshold=0.0)
    _same(_answers(folder, threshold=0.0), expected)
    assert all(expected)
    scores = sorted(score for own in expected for _, score, _ in own)
    # Between two of them: a score that is the threshold itself falls to either side of it.
    middle = sum(scores[len(expected[0]) * 2 - 1 :][:2]) / 2
    _same(_answers(folder, middle), _documented(folder, middle))


def test_omdet_tells_labels_apart_and_answers_alone_as_together(
    tiny_model: Callable[[str], Path],
) -> None:
    folder = tiny_model("zero-shot-object-detection-omdet-turbo")
    together = _answers(folder, threshold=0.0)
    alone = _answers(folder, threshold=0.0, together=False)
    for answer, own, labels in zip(together, alone, LABELS, strict=True):
        assert {label for label, *_ in answer} <= {*labels}
        # Boxes tell objects apart where scores are all but equal.
        own.sort(key=lambda found: (found[0], found[2]))
        answer.sort(key=lambda found: (found[0], found[2]))
        _same([answer], [own])
    assert len({label for answer in together for label, *_ in answer}) > 2
