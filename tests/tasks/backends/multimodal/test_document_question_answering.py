"""Against transformers' own pipeline, row by row; and pages that are read first."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from transformers import (
    AutoImageProcessor,
    AutoModelForDocumentQuestionAnswering,
    AutoTokenizer,
    LayoutLMv3Processor,
    pipeline,
)
from transformers.pipelines.document_question_answering import select_starts_ends

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.boxes import BoundingBox
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.media.pdf import PdfPages
from wherry.tasks.multimodal.document_question_answering import (
    DocumentAnswer,
    DocumentQuestionAnsweringInput,
    DocumentQuestionAnsweringOutput,
)
from wherry.tasks.vision.optical_character_recognition import TextLine

from ....support import pictures, tiny

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


CONFIGS: dict[str, Any] = {
    "layoutlmv2": {"model_type": "layoutlmv2"},
    "vision-encoder-decoder": {
        "model_type": "vision-encoder-decoder",
        "encoder": {"model_type": "donut-swin"},
        "decoder": {"model_type": "mbart"},
    },
}


@pytest.mark.parametrize(
    ("kind", "said"), [("layoutlmv2", "detectron2"), ("vision-encoder-decoder", "<s_docvqa>")]
)
def test_a_model_that_points_at_no_words_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[kind]))
    with pytest.raises(ModelRefused, match=said) as refused:
        create_task("transformers", "document-question-answering", str(tmp_path))
    assert "\n" not in str(refused.value)


def documented(
    folder: Path, data: bytes, question: str, words: WordBoxes
) -> tuple[float, int, int]:
    """The score and words of LayoutLMv3's answer, by its processor and the pipeline's choice."""
    processor = LayoutLMv3Processor(
        AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    )
    model = AutoModelForDocumentQuestionAnswering.from_pretrained(folder).eval()
    image = Image.open(io.BytesIO(data)).convert("RGB")
    texts, boxes = [word for word, _ in words], [list(map(round, box)) for _, box in words]
    encoding = processor(image, question, texts, boxes=boxes, return_tensors="pt")
    with torch.inference_mode():
        out = model(**encoding)
    sides, of_word = encoding.sequence_ids(0), encoding.word_ids(0)
    length = len(sides)
    mask = np.array([side != 1 for side in sides])
    mask[encoding["input_ids"][0].numpy() == processor.tokenizer.cls_token_id] = False
    starts, ends, scores, _ = select_starts_ends(
        out.start_logits[:, :length].numpy(),
        out.end_logits[:, :length].numpy(),
        mask,
        attention_mask=encoding["attention_mask"].numpy(),
        top_k=50,
        max_answer_len=15,
    )
    found = [
        (float(score), of_word[start], of_word[end])
        for start, end, score in zip(starts, ends, scores, strict=True)
        if of_word[start] is not None and of_word[end] is not None
    ]
    return max(found)


def test_layoutlmv3_looks_at_the_page_too(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("document-question-answering-layoutlmv3")
    task = create_task("transformers", "document-question-answering", str(folder))
    pages = list(zip(tiny.images(), QUESTIONS, [page(n, n) for n in (9, 1, 6, 3)], strict=True))
    rows = [
        DocumentQuestionAnsweringInput(images=[data], questions=[question], word_boxes=[words])
        for data, question, words in pages
    ]
    together = [found for row in task.backend.run(rows) for found in results(row)]
    for answer, row in zip(together, rows, strict=True):
        (alone,) = results(task.backend.run([row])[0])
        assert (alone.start, alone.end) == (answer.start, answer.end)
        assert alone.score == pytest.approx(answer.score, abs=TOLERANCE)
    for answer, one in zip(together, pages, strict=True):
        score, start, end = documented(folder, *one)
        assert (answer.start, answer.end) == (start, end)
        assert answer.score == pytest.approx(score, abs=1e-3)
    # The picture counts.
    blank = rows[0].model_copy(update={"images": [tiny.images()[3]]})
    (other,) = results(task.backend.run([blank])[0])
    assert other.score != pytest.approx(together[0].score, abs=TOLERANCE)


def test_layoutlmv3_reads_a_long_page_in_windows(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("document-question-answering-layoutlmv3")
    task = create_task("transformers", "document-question-answering", str(folder))
    (answers,) = ask(task, [page(150, 2)], top_k=99)
    assert max(answer.end for answer in answers) > 100


def results(answer: object) -> list[DocumentAnswer]:
    assert isinstance(answer, DocumentQuestionAnsweringOutput), answer
    return answer.results[0]


class Reader:
    """Reads pages as the sizes of their pictures say."""

    def read(self, image: Image.Image) -> list[TextLine]:
        words = " ".join(word for word, _ in page(image.width // 10, image.width))
        box = BoundingBox(xmin=0, ymin=0, xmax=image.width, ymax=image.height / 2)
        return [TextLine(text=words, score=1, box=box)]


def test_all_pages_are_asked_and_the_best_answers_come_first(
    task: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task.backend, "_reader", Reader())
    sheets = [Image.new("RGB", (width, 90), "white") for width in (200, 350, 120)]
    document = pictures.paged(sheets, resolution=72)
    files = [tiny.encode(sheet) for sheet in sheets]

    def answers(images: list[bytes], **given: Any) -> DocumentQuestionAnsweringOutput:
        asked = DocumentQuestionAnsweringInput(
            images=images, questions=["who"] * len(images), dpi=72, top_k=3, **given
        )
        output = task.process(asked)
        assert isinstance(output, DocumentQuestionAnsweringOutput)
        return output

    single = answers(files).results
    wanted = sorted(
        ((n, found) for n, row in enumerate(single, 1) for found in row),
        key=lambda pair: -pair[1].score,
    )[:3]
    _, whole = answers([files[0], document]).results
    assert [(found.page, found.answer, found.start, found.end) for found in whole] == [
        (number, found.answer, found.start, found.end) for number, found in wanted
    ]
    assert [found.score for found in whole] == pytest.approx(
        [found.score for _, found in wanted], abs=TOLERANCE
    )
    (first,) = answers([document], frames="first").results
    assert [found.answer for found in first] == [found.answer for found in single[0]]
    with pytest.raises(RowError, match="word_boxes are those of one page, and the file has 3"):
        answers([document], word_boxes=[page(5, 0)])


def test_a_page_that_is_read_and_looked_at_is_drawn_once(
    tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_model("document-question-answering-layoutlmv3")
    seeing = create_task("transformers", "document-question-answering", str(folder))
    monkeypatch.setattr(seeing.backend, "_reader", Reader())
    drawn, render = list[int](), PdfPages._render

    def counted(pages: PdfPages, document: Any, number: int) -> Image.Image:
        drawn.append(number)
        return render(pages, document, number)

    monkeypatch.setattr(PdfPages, "_render", counted)
    document = pictures.paged([Image.new("RGB", (200, 90), "white")] * 2, resolution=72)
    seeing.process(DocumentQuestionAnsweringInput(images=[document], questions=["who"], dpi=72))
    assert drawn == [0, 1]
