"""CLIP and SigLIP against transformers' pipeline, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import pipeline

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.create import create_task
from wherry.tasks.vision.zero_shot_image_classification import (
    ZeroShotImageClassificationInput,
    ZeroShotImageClassificationOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

TOLERANCE = 1e-4
MODELS = ("zero-shot-image-classification", "zero-shot-image-classification-siglip")

#: Rows of one batch, each with labels of its own; some share them.
LABELS = (
    ["a cat", "the quick brown fox over a lazy dog"],
    ["red car", "a cat", "london"],
    ["london"],
    ["a cat", "the quick brown fox over a lazy dog"],
)


def rows(**fields: Any) -> list[ZeroShotImageClassificationInput]:
    return [
        ZeroShotImageClassificationInput(images=[data], candidate_labels=labels, **fields)
        for data, labels in zip(tiny.images(), LABELS, strict=True)
    ]


def ranked(answer: object) -> list[tuple[str, float]]:
    assert isinstance(answer, ZeroShotImageClassificationOutput)
    return [(found.label, found.score) for found in answer.results[0]]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fields", [{}, {"hypothesis_template": "hello {} and {}"}])
def test_rows_with_labels_of_their_own_get_the_pipelines_answers(
    name: str, fields: dict[str, Any], tiny_model: Models
) -> None:
    folder = str(tiny_model(name))
    task = create_task("transformers", "zero-shot-image-classification", folder)
    reference: Any = pipeline("zero-shot-image-classification", model=folder)
    answers = [ranked(answer) for answer in task.backend.run(rows(**fields))]
    template = fields.get("hypothesis_template", "This is a photo of {}.").replace("{}", "{0}")
    for answer, data, labels in zip(answers, tiny.images(), LABELS, strict=True):
        own = reference(
            Image.open(io.BytesIO(data)), candidate_labels=labels, hypothesis_template=template
        )
        assert [label for label, _ in answer] == [found["label"] for found in own]
        scores = [found["score"] for found in own]
        assert [score for _, score in answer] == pytest.approx(scores, abs=TOLERANCE)
    assert abs(answers[0][0][1] - answers[3][0][1]) > 10 * TOLERANCE  # rows do differ


@pytest.mark.parametrize(("name", "alone"), [(MODELS[0], False), (MODELS[1], True)])
def test_scores_add_up_to_one_unless_each_label_stands_alone(
    name: str, *, alone: bool, tiny_model: Models
) -> None:
    task = create_task("transformers", "zero-shot-image-classification", str(tiny_model(name)))
    for answer in task.backend.run(rows()):
        total = sum(score for _, score in ranked(answer))
        assert (total == pytest.approx(1)) is not alone


def test_each_label_is_encoded_once_a_batch(
    tiny_model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tiny_model(MODELS[0]))
    task = create_task("transformers", "zero-shot-image-classification", folder)
    sizes: list[tuple[int, int]] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def counted(pixel_values: Any, input_ids: Any, **more: Any) -> object:
        sizes.append((len(pixel_values), len(input_ids)))
        return forward(pixel_values=pixel_values, input_ids=input_ids, **more)

    monkeypatch.setattr(model, "forward", counted)
    task.backend.run(rows())
    assert sizes == [(4, 4)]


def test_a_label_given_twice_is_answered_twice(tiny_model: Models) -> None:
    task = create_task("transformers", "zero-shot-image-classification", str(tiny_model(MODELS[0])))
    row = ZeroShotImageClassificationInput(
        images=tiny.images()[:1], candidate_labels=["a cat", "a cat"]
    )
    assert ranked(task.backend.run([row])[0]) == [("a cat", 0.5), ("a cat", 0.5)]


@pytest.mark.parametrize(
    "fields",
    [
        {"candidate_labels": []},
        {"candidate_labels": [""]},
        {"candidate_labels": ["a"], "hypothesis_template": "no place for it"},
    ],
)
def test_nothing_to_choose_from_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        ZeroShotImageClassificationInput.validated({"images": tiny.images()[:1], **fields})
