"""Batches against the pipeline of transformers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from transformers import pipeline

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.zero_shot_classification import (
    ZeroShotClassificationInput,
    ZeroShotClassificationOutput,
)

TOLERANCE = 1e-3
TEXTS = ["the quick brown fox", "hello", "lazy dog " * 60, "my name is ada and i live in london"]
LABELS = ["car", "a lazy dog", "the capital of france"]

Made = Callable[[str], Path]


@pytest.fixture
def task(tiny_model: Made) -> LocalTask:
    folder = tiny_model("zero-shot-classification")
    return create_task("transformers", "zero-shot-classification", str(folder))


def sort(task: LocalTask, texts: list[str], **fields: Any) -> list[dict[str, float]]:
    output = task.process(ZeroShotClassificationInput(texts=texts, **fields))
    assert isinstance(output, ZeroShotClassificationOutput)
    return [{result.label: result.score for result in row} for row in output.results]


@pytest.mark.parametrize(
    "fields",
    [
        {"candidate_labels": LABELS},
        {"candidate_labels": LABELS, "multi_label": True},
        {"candidate_labels": LABELS[:1]},
        {"candidate_labels": LABELS, "hypothesis_template": "hello {}, hello {}"},
    ],
)
def test_batch_equals_the_pipelines_single_answers(
    task: LocalTask, tiny_model: Made, fields: dict[str, Any]
) -> None:
    reference: Any = pipeline(
        "zero-shot-classification", model=str(tiny_model("zero-shot-classification"))
    )
    together = sort(task, TEXTS, **fields)
    template = fields.get("hypothesis_template", "This example is {}.")
    options = {**fields, "hypothesis_template": template.replace("{}", "{0}")}
    for answer, text in zip(together, TEXTS, strict=True):
        own = reference(text, **options)
        expected = dict(zip(own["labels"], own["scores"], strict=True))
        assert list(answer) == own["labels"]
        assert answer == pytest.approx(expected, abs=TOLERANCE)
    if fields == {"candidate_labels": LABELS}:
        assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)  # rows do differ


def test_a_template_without_a_place_is_refused() -> None:
    with pytest.raises(ValidationError, match="hypothesis_template"):
        ZeroShotClassificationInput(
            texts=["a"], candidate_labels=["b"], hypothesis_template="no place"
        )


def test_a_model_that_knows_no_entailment_is_refused(tiny_model: Made) -> None:
    with pytest.raises(ValueError, match="entailment"):
        create_task("transformers", "zero-shot-classification", str(tiny_model("text-pairs")))
