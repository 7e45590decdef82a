"""Against the model's own answer, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from transformers import AutoModelForVisualQuestionAnswering, AutoProcessor

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.visual_question_answering import (
    VisualQuestionAnsweringInput,
    VisualQuestionAnsweringOutput,
)

from ....support import tiny

TOLERANCE = 1e-4
QUESTIONS = ("what is it", "a cat and a dog beside the red car", "is it red", "hello")


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("visual-question-answering")


@pytest.fixture(scope="module")
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "visual-question-answering", str(folder))


def asked(data: bytes, question: str, top_k: int = 3) -> VisualQuestionAnsweringInput:
    return VisualQuestionAnsweringInput(images=[data], question=question, top_k=top_k)


def answers(task: LocalTask, rows: list[VisualQuestionAnsweringInput]) -> list[dict[str, float]]:
    found = task.backend.run(rows)
    return [
        {result.answer: result.score for result in row.results[0]}
        for row in found
        if isinstance(row, VisualQuestionAnsweringOutput)
    ]


def own_answer(folder: Path, data: bytes, question: str) -> dict[str, float]:
    model = AutoModelForVisualQuestionAnswering.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    with torch.inference_mode():
        encoded = processor(images=image, text=question, return_tensors="pt")
        scores = model(**encoded).logits[0].sigmoid()
    return {model.config.id2label[i]: float(score) for i, score in enumerate(scores)}


def test_batch_equals_the_models_own_single_answers(task: LocalTask, folder: Path) -> None:
    rows = [asked(*row) for row in zip(tiny.images(), QUESTIONS, strict=True)]
    together = answers(task, rows)
    for answer, data, question in zip(together, tiny.images(), QUESTIONS, strict=True):
        assert answer == pytest.approx(own_answer(folder, data, question), abs=TOLERANCE)
        assert list(answer.values()) == sorted(answer.values(), reverse=True)
    assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)  # rows do differ


def test_one_forward_for_images_of_all_sizes(
    task: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def counted(**inputs: torch.Tensor) -> object:
        sizes.append(len(inputs["pixel_values"]))
        return forward(**inputs)

    monkeypatch.setattr(model, "forward", counted)
    assert len(answers(task, [asked(data, "what") for data in tiny.images()])) == 4
    assert sizes == [4]


def test_image_and_question_both_count(task: LocalTask) -> None:
    first, second = tiny.images()[:2]
    base, other_image, other_question = answers(
        task, [asked(first, "what is it"), asked(second, "what is it"), asked(first, "red car")]
    )
    assert base != pytest.approx(other_image, abs=10 * TOLERANCE)
    assert base != pytest.approx(other_question, abs=10 * TOLERANCE)


def test_a_question_longer_than_the_model_takes_is_cut(task: LocalTask) -> None:
    data = tiny.images()[0]
    long, cut = answers(task, [asked(data, "red " * 50), asked(data, "red " * 30)])
    assert long == pytest.approx(cut, abs=TOLERANCE)


def test_a_model_that_writes_its_answers_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blip = SimpleNamespace(config=SimpleNamespace(model_type="blip-2"), to=lambda _: None)
    blip.eval = lambda: blip
    found: dict[str, list[str]] = {"missing_keys": [], "mismatched_keys": []}
    monkeypatch.setattr(
        AutoModelForVisualQuestionAnswering, "from_pretrained", lambda *_, **__: (blip, found)
    )
    with pytest.raises(ModelRefused, match="image-text-to-text"):
        create_task("transformers", "visual-question-answering", str(folder))


def test_blip_writes_its_answer(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("visual-question-answering-blip")
    model = AutoModelForVisualQuestionAnswering.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    expected = []
    for data, question in zip(tiny.images(), QUESTIONS, strict=True):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        inputs = processor(images=image, text=question, return_tensors="pt")
        written = model.generate(**inputs, max_new_tokens=20, do_sample=False)
        expected.append(processor.decode(written[0], skip_special_tokens=True).strip())
    task = create_task("transformers", "visual-question-answering", str(folder))
    rows = [asked(data, text) for data, text in zip(tiny.images(), QUESTIONS, strict=True)]
    together = answers(task, rows)
    assert [next(iter(answer)) for answer in together] == expected
    assert len(set(expected)) > 1  # rows do differ
    for row, answer in zip(rows, together, strict=True):
        (alone,) = answers(task, [row])
        assert alone == pytest.approx(answer, abs=TOLERANCE)
        assert 0 < next(iter(answer.values())) <= 1
