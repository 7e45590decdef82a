"""Batches against plain calls of the model, and the reading of spans by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from wherry.tasks.backends.text.spans import Piece, passages
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.question_answering import (
    Answer,
    QuestionAnsweringInput,
    QuestionAnsweringOutput,
)

TOLERANCE = 1e-3
QUESTIONS = ["what is my name", "who jumps", "what is the capital of france"]
CONTEXTS = [
    "my name is ada and i live in london",
    "Héllo wörld ☂. The quickest brown fox jumps over the laziest dog beside the red car.",
    "fox",
]
LONG = "the quick brown fox jumps over the lazy dog and a photo of a cat, " * 12

Made = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model: Made) -> Path:
    return tiny_model("question-answering")


@pytest.fixture
def graphs(tiny_graph: Callable[[str, str], Path]) -> Path:
    return tiny_graph("question-answering", "question-answering")


@pytest.fixture(params=["transformers", "onnxruntime"])
def task(folder: Path, graphs: Path, request: pytest.FixtureRequest) -> LocalTask:
    source = folder if request.param == "transformers" else graphs
    return create_task(request.param, "question-answering", str(source))


def ask(
    task: LocalTask, questions: list[str], contexts: list[str], **fields: Any
) -> list[list[Answer]]:
    output = task.process(QuestionAnsweringInput(questions=questions, contexts=contexts, **fields))
    assert isinstance(output, QuestionAnsweringOutput)
    return output.answers


def own_answers(
    folder: Path, question: str, context: str, top_k: int, longest: int
) -> list[tuple[float, int, int]]:
    """One forward, every span scored by itself: (score, start, end), the likeliest first."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    encoded = tokenizer(question, context, return_offsets_mapping=True, return_tensors="pt")
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        out = model(**encoded)
    place = [i for i, of in enumerate(encoded.sequence_ids(0)) if of == 1]
    seen = [0, *place]  # [CLS] stands for no answer, and has its share
    starts = dict(zip(seen, out.start_logits[0, seen].softmax(-1).tolist(), strict=True))
    ends = dict(zip(seen, out.end_logits[0, seen].softmax(-1).tolist(), strict=True))
    spans = [
        (starts[a] * ends[b], offsets[a][0], offsets[b][1])
        for a in place
        for b in place
        if a <= b < a + longest
    ]
    return sorted(spans, reverse=True)[:top_k]


def test_batch_equals_the_models_own_single_answers(task: LocalTask, folder: Path) -> None:
    together = ask(task, QUESTIONS, CONTEXTS, top_k=3, max_answer_len=4, align_to_words=False)
    for answers, question, context in zip(together, QUESTIONS, CONTEXTS, strict=True):
        own = own_answers(folder, question, context, 3, 4)
        assert [(a.start, a.end) for a in answers] == [(start, end) for _, start, end in own]
        assert [a.score for a in answers] == pytest.approx([s for s, *_ in own], abs=TOLERANCE)
        assert [a.answer for a in answers] == [context[a.start : a.end] for a in answers]
    assert len(together[2]) < 3  # a short context has few spans
    assert together[0][0].score > 10 * TOLERANCE


def test_long_contexts_are_read_to_the_end(task: LocalTask) -> None:
    fields: dict[str, Any] = {"top_k": 400, "doc_stride": 16}
    answers = ask(task, QUESTIONS[:2], [LONG, CONTEXTS[1]], **fields)
    assert max(answer.end for answer in answers[0]) > 0.9 * len(LONG)
    assert all(answer.answer == LONG[answer.start : answer.end] for answer in answers[0])
    places = [(answer.start, answer.end) for answer in answers[0]]
    assert len(places) == len(set(places))  # pieces overlap, answers do not repeat
    alone = ask(task, QUESTIONS[1:2], CONTEXTS[1:2], **fields)[0]
    scores = [answer.score for answer in alone]
    assert [answer.score for answer in answers[1]] == pytest.approx(scores, abs=TOLERANCE)


def test_a_byte_level_tokenizer(tiny_model: Made) -> None:
    folder = tiny_model("question-answering-byte-level")
    task = create_task("transformers", "question-answering", str(folder))
    backend: Any = task.backend
    assert backend.max_tokens == 62  # RoBERTa's positions begin behind its padding's
    together = ask(task, QUESTIONS[:2], CONTEXTS[:2], top_k=1, align_to_words=False)
    for (answer,), question, context in zip(together, QUESTIONS, CONTEXTS, strict=False):
        ((score, start, end),) = own_answers(folder, question, context, 1, 15)
        assert answer.score == pytest.approx(score, abs=TOLERANCE)
        assert answer.answer == context[start:end].lstrip()
    (whole,) = ask(task, QUESTIONS[:1], [LONG], top_k=50)
    assert all(answer.answer == LONG[answer.start : answer.end] for answer in whole)
    assert not any(answer.answer.startswith(" ") for answer in whole)


def test_answers_are_whole_words(task: LocalTask) -> None:
    words = {word.strip(".☂") for word in CONTEXTS[1].split()}
    (aligned,) = ask(task, QUESTIONS[:1], CONTEXTS[1:2], top_k=20, max_answer_len=3)
    (loose,) = ask(
        task, QUESTIONS[:1], CONTEXTS[1:2], top_k=20, max_answer_len=3, align_to_words=False
    )

    def cut(answers: list[Answer]) -> list[str]:
        found = [word for answer in answers for word in answer.answer.strip(".☂ ").split()]
        return [word for word in found if word.strip(".☂") and word.strip(".☂") not in words]

    assert cut(loose)
    assert not cut(aligned)


def test_a_long_question_is_cut(task: LocalTask) -> None:
    long = "fox " * 80
    (cut,) = ask(task, [long], CONTEXTS[:1], max_question_len=8)
    (short,) = ask(task, ["fox " * 8], CONTEXTS[:1])
    assert cut[0].score == pytest.approx(short[0].score, abs=TOLERANCE)


LOGITS = np.array([[9, 9], [0, 0], [3, 0], [0, 3]], dtype=np.float32)  # [CLS] question, ada is
PIECE = Piece(
    offsets=[(0, 0), (0, 3), (0, 3), (4, 6)],
    in_context=np.array([False, False, True, True]),
    words=[None, 0, 0, 1],
    null=0,
)


def test_no_answer_is_an_answer_where_asked_for(task: LocalTask) -> None:
    (plain,) = ask(task, QUESTIONS[:1], CONTEXTS[:1], top_k=200)
    (null,) = ask(task, QUESTIONS[:1], CONTEXTS[:1], top_k=200, handle_impossible_answer=True)
    assert all(answer.answer for answer in plain)
    (empty,) = (answer for answer in null if not answer.answer)
    assert [answer for answer in null if answer.answer] == plain[: len(null) - 1]
    assert (empty.start, empty.end) == (0, 0)
    scores = [answer.score for answer in null]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("max_tokens", "best"), [(2, "ada is"), (1, "ada")])
def test_spans_by_hand(max_tokens: int, best: str) -> None:
    found, none = passages(
        PIECE, LOGITS, "ada is", top_k=1, max_tokens=max_tokens, whole_words=True
    )
    assert [answer.answer for answer in found] == [best]
    # e^9 of e^9 + e^3 + 1, twice.
    assert none == pytest.approx((np.exp(9) / (np.exp(9) + np.exp(3) + 1)) ** 2)
