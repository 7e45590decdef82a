"""Batches against the pipeline of transformers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError
from transformers import pipeline

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.text_classification import (
    TextClassificationInput,
    TextClassificationOutput,
)

TOLERANCE = 1e-3
TEXTS = ["the quick brown fox", "hello", "", "lazy dog " * 60, "héllo wörld ☂", "my name is ada"]

Made = Callable[[str], Path]


def own_scores(folder: Path, given: Any, **options: Any) -> dict[str, float]:
    """The pipeline's answer to one text, or one pair."""
    classify: Any = pipeline("text-classification", model=str(folder))
    found = classify(given, top_k=None, truncation=True, **options)
    return {result["label"]: result["score"] for result in found}


def classify(task: LocalTask, texts: list[str], **fields: Any) -> list[dict[str, float]]:
    return _scores(task, TextClassificationInput(texts=texts, **fields).rows())


def _scores(task: LocalTask, rows: list[TextClassificationInput]) -> list[dict[str, float]]:
    answers = task.backend.run(rows)
    return [
        {result.label: result.score for result in answer.results[0]}
        for answer in answers
        if isinstance(answer, TextClassificationOutput)
    ]


@pytest.mark.parametrize("function", [None, "none", "sigmoid", "softmax"])
def test_batch_equals_the_pipelines_single_answers(
    tiny_model: Made, function: Literal["none", "sigmoid", "softmax"] | None
) -> None:
    folder = tiny_model("text-classification")
    task = create_task("transformers", "text-classification", str(folder))
    together = classify(task, TEXTS, function_to_apply=function)
    for answer, text in zip(together, TEXTS, strict=True):
        expected = own_scores(folder, text, function_to_apply=function)
        assert answer == pytest.approx(expected, abs=TOLERANCE)
    if function == "none":
        assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)  # rows do differ


def test_pairs_and_several_labels_at_once(tiny_model: Made) -> None:
    folder = tiny_model("text-pairs")
    task = create_task("transformers", "text-classification", str(folder))
    pairs = ["hello world", "the red car", "cat", "fox " * 40, "a", "ada"]
    together = classify(task, TEXTS, text_pairs=pairs)
    for answer, text, pair in zip(together, TEXTS, pairs, strict=True):
        expected = own_scores(folder, {"text": text, "text_pair": pair})
        assert answer == pytest.approx(expected, abs=TOLERANCE)
    assert sum(together[0].values()) != pytest.approx(1, abs=TOLERANCE)  # sigmoids


def test_texts_and_pairs_in_one_batch(tiny_model: Made) -> None:
    folder = tiny_model("text-pairs")
    task = create_task("transformers", "text-classification", str(folder))
    alone = TextClassificationInput(texts=TEXTS[:1])
    paired = TextClassificationInput(texts=TEXTS[:1], text_pairs=["hello"])
    together = _scores(task, [paired, alone])
    for answer, row in zip(together, (paired, alone), strict=True):
        assert answer == pytest.approx(_scores(task, [row])[0], abs=TOLERANCE)
    assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)


def test_pairs_travel() -> None:
    given = TextClassificationInput(texts=["a", "b"], text_pairs=["c", "d"])
    request = given.to_inference_request()
    assert [tensor.name for tensor in request.inputs] == ["text", "text_pair"]
    assert TextClassificationInput.from_inference_request(request) == given
    with pytest.raises(ValidationError, match="text_pairs: expected 2 entries"):
        TextClassificationInput(texts=["a", "b"], text_pairs=["c"])


def test_a_usual_batch_is_one_forward(tiny_model: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    task = create_task(
        "transformers", "text-classification", str(tiny_model("text-classification"))
    )
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    sizes: list[int] = []
    forward = model.forward

    def counted(**tensors: Any) -> Any:
        sizes.append(len(tensors["input_ids"]))
        return forward(**tensors)

    monkeypatch.setattr(model, "forward", counted)
    classify(task, TEXTS)
    assert sizes == [len(TEXTS)]
