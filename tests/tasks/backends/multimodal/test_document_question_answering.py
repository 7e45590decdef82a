"""Against transformers' own pipeline, row by row; and pages that are read first."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from transformers import AutoModelForDocumentQuestionAnswering, pipeline

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.document_question_answering import (
    DocumentAnswer,
    DocumentQuestionAnsweringInput,
    DocumentQuestionAnsweringOutput,
)

from ....support import tiny

TOLERANCE = 1e-4
VOCABULARY = ("paris", "is", "the", "capital", "of", "france", "my", "name", "ada", "london")
QUESTIONS = ["what is the capital", "name", "where do you live", "who"]

WordBoxes = list[tuple[str, tuple[float, float, float, float]]]


def page(words: int, seed: int) -> WordBoxes:
    """Words in rows of ten, in thousandths of the page."""
    chance = random.Random(seed)
    return [
        (
            chance.choice(VOCABULARY),
            (i % 10 * 90, i // 10 * 50, i % 10 * 90 + 80, i // 10 * 50 + 40),
        )
        for i in range(words)
    ]


#: One fits a window, one has a single word, one needs several windows.
PAGES = [page(20, 0), page(1, 1), page(150, 2), page(35, 3)]


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("document-question-answering")


@pytest.fixture(scope="module")
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "document-question-answering", str(folder))


def ask(task: LocalTask, pages: Any = PAGES, **parameters: Any) -> list[list[DocumentAnswer]]:
    images = [tiny.images()[0]] * len(pages)
    output = task.process(
        DocumentQuestionAnsweringInput(
            images=images, questions=QUESTIONS[: len(pages)], word_boxes=pages, **parameters
        )
    )
    assert isinstance(output, DocumentQuestionAnsweringOutput)
    return output.results


def test_batch_equals_the_pipelines_single_answers(task: LocalTask, folder: Path) -> None:
    own = pipeline("document-question-answering", model=str(folder))
    together = ask(task)
    for (answer,), words, question in zip(together, PAGES, QUESTIONS, strict=True):
        boxes = [(word, list(box)) for word, box in words]
        (expected,) = own(
            image=None, question=question, word_boxes=boxes, padding="do_not_pad", doc_stride=32
        )
        assert answer.score == pytest.approx(expected["score"], abs=TOLERANCE)
        assert (answer.answer, answer.start, answer.end) == (
            expected["answer"],
            expected["start"],
            expected["end"],
        )
    assert len({answer.score for (answer,) in together}) == 4  # rows do differ


def test_an_answer_is_the_words_it_counts(task: LocalTask) -> None:
    for answers, words in zip(ask(task, top_k=4), PAGES, strict=True):
        runs = [(answer.start, answer.end) for answer in answers]
        assert len(set(runs)) == len(runs)
        assert [answer.score for answer in answers] == sorted(
            (answer.score for answer in answers), reverse=True
        )
        for answer in answers:
            assert answer.answer == " ".join(w for w, _ in words[answer.start : answer.end + 1])


def test_top_k_and_max_answer_len(task: LocalTask) -> None:
    assert [len(row) for row in ask(task, top_k=3)] == [3, 1, 3, 3]
    many = ask(task, top_k=50)
    assert max(a.end - a.start for row in many for a in row) > 0
    short = ask(task, top_k=50, max_answer_len=1)
    assert max(a.end - a.start for row in short for a in row) == 0


def test_where_words_stand_counts(task: LocalTask) -> None:
    moved = [[(word, (box[1], 0, box[1] + 5, 9)) for word, box in words] for words in PAGES]
    there, here = ask(task), ask(task, moved)
    assert [row[0].score for row in there] != pytest.approx([row[0].score for row in here])


@pytest.mark.parametrize(
    ("question", "words", "said"),
    [
        ("who", [("ada", (90, 0, 10, 20))], "ends before it begins"),
        (" ", PAGES[0], "question is empty"),
        ("who " * 60, PAGES[0], "question has"),
    ],
)
def test_a_bad_row_fails_alone(task: LocalTask, question: str, words: WordBoxes, said: str) -> None:
    first, bad, third = task.backend.run(
        DocumentQuestionAnsweringInput(
            images=[tiny.images()[0]] * 3,
            questions=[QUESTIONS[0], question, QUESTIONS[2]],
            word_boxes=[PAGES[0], words, PAGES[2]],
        ).rows()
    )
    assert isinstance(bad, RowError)
    assert said in bad.message
    together = ask(task)
    for answer, row in ((first, 0), (third, 2)):
        assert isinstance(answer, DocumentQuestionAnsweringOutput)
        assert answer.results[0][0].answer == together[row][0].answer


def test_a_page_without_words_has_no_answers(task: LocalTask) -> None:
    assert [len(row) for row in ask(task, [[], PAGES[1]])] == [0, 1]
    assert ask(task, [[]]) == [[]]


def test_a_box_off_the_page_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="1000"):
        DocumentQuestionAnsweringInput.validated(
            {
                "images": [b"x"],
                "questions": ["who"],
                "word_boxes": [[["ada", [0, 0, 1001, 10]]]],
            }
        )


def drawn_page() -> bytes:
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    draw.text((20, 20), "my name is ada", fill="black", font=ImageFont.load_default(32))
    draw.text((20, 90), "i live in london", fill="black", font=ImageFont.load_default(32))
    return tiny.encode(image)


def test_a_page_is_read_where_its_words_are_not_given(task: LocalTask) -> None:
    pytest.importorskip("rapidocr", reason="in the extra ocr")
    read, bad, given = task.backend.run(
        DocumentQuestionAnsweringInput(
            images=[drawn_page(), b"junk", b"not looked at"],
            questions=QUESTIONS[:3],
            word_boxes=[None, None, PAGES[2]],
            top_k=100,
            max_answer_len=60,
        ).rows()
    )
    assert isinstance(bad, RowError)
    assert isinstance(given, DocumentQuestionAnsweringOutput)
    assert isinstance(read, DocumentQuestionAnsweringOutput)
    found = {(answer.start, answer.end): answer.answer for answer in read.results[0]}
    assert found[0, 7] == "my name is ada i live in london"


def test_without_a_reader_the_row_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "wherry.tasks.backends.image.page_reader", raising=False)
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    task = create_task("transformers", "document-question-answering", str(folder))
    (bad,) = task.backend.run(
        DocumentQuestionAnsweringInput(images=[drawn_page()], questions=["who"]).rows()
    )
    assert isinstance(bad, RowError)
    assert "word_boxes" in bad.message
    assert "wherry[ocr]" in bad.message


def test_a_model_that_looks_at_pixels_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SimpleNamespace(config=SimpleNamespace(model_type="layoutlmv3"), to=lambda _: None)
    other.eval = lambda: other
    found: dict[str, list[str]] = {"missing_keys": [], "mismatched_keys": []}
    monkeypatch.setattr(
        AutoModelForDocumentQuestionAnswering, "from_pretrained", lambda *_, **__: (other, found)
    )
    with pytest.raises(ValueError, match="expected a layoutlm, got a layoutlmv3"):
        create_task("transformers", "document-question-answering", str(folder))
