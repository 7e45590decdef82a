"""CoNLL and spaCy's lines: marked parts of texts.

tests/peers/test_annotation_readers.py has real readers of them.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from wherry.client.annotate.formats import writer_of
from wherry.client.annotate.formats.spans import MarkedSpan, spans_of, tokens_of
from wherry.client.annotate.rows import Annotation
from wherry.protocol.errors import RowError
from wherry.tasks.registry import get_task

from .answers import origin, written

TASK = "token-classification"


def marked(text: str, *entities: tuple[Any, ...], row_id: str = "a.txt") -> Annotation:
    """A text and its entities: label, begin, end, score and, of a model's own token, its index."""
    names = ("entity", "start", "end", "score", "index")
    items = [{"word": text[e[1] : e[2]], **dict(zip(names, e, strict=False))} for e in entities]
    output = get_task(TASK).output.model_validate({"entities": [items]})
    return Annotation(0, row_id, "", output, None, text=text)


def words(text: str, *spans: tuple[int, int]) -> list[str]:
    cuts = [MarkedSpan(start, end, "X", 1.0) for start, end in spans]
    return [text[start:end] for start, end in tokens_of(text, cuts)]


def test_words_are_letters_digits_and_marks_that_stand_together():
    assert words("Don't go, 3.5m_2!\n") == [*("Don", "'", "t", "go", ",", "3", ".", "5m_2", "!")]
    assert words("\u0915\u094d\u200d\u0937\u093f cafe\u0301 \U0001f6a2\U0001f6a2") == [
        *("\u0915\u094d\u200d\u0937\u093f", "cafe\u0301"),
        *("\U0001f6a2", "\U0001f6a2"),
    ]
    assert words("\u6771\u4eac\u90fd\u3078", (0, 2)) == ["\u6771\u4eac", "\u90fd\u3078"]
    assert words(" \n") == []


@pytest.mark.parametrize("seed", range(10))
def test_a_span_begins_and_ends_with_a_word(seed: int):
    draw = random.Random(seed)
    text = "".join(draw.choice("ab \n,\u0301") for _ in range(60))
    edges = sorted(draw.sample(range(60), 8))
    items = [("X", *edges[n : n + 2], draw.random()) for n in range(0, 8, 2)]
    spans = spans_of(marked(text, *items))
    tokens = list(tokens_of(text, spans))
    for span in spans:
        assert span.start in {start for start, _ in tokens}
        assert span.end in {end for _, end in tokens}
    assert "".join(text[start:end] for start, end in tokens) == "".join(text.split())


def test_a_models_own_tokens_are_joined():
    text = "Wolfgang New York Rome"
    spans = spans_of(
        marked(
            text,
            *(("B-PER", 0, 4, 0.5, 1), ("I-PER", 4, 8, 1.0, 2)),
            *(("B-LOC", 9, 12, 0.5, 3), ("I-LOC", 13, 17, 0.5, 4), ("B-LOC", 18, 22, 0.5, 5)),
        )
    )
    assert [(text[s.start : s.end], s.kind, s.score) for s in spans] == [
        *(("Wolfgang", "PER", 0.75), ("New York", "LOC", 0.5), ("Rome", "LOC", 0.5)),
    ]
    # One of nothing lies between, or was left out.
    for between in ([("O", 4, 5, 1.0, 2)], []):
        spans = spans_of(marked("abcdefgh", ("X", 0, 4, 1.0, 1), *between, ("X", 5, 8, 1.0, 3)))
        assert [(s.start, s.end) for s in spans] == [(0, 4), (5, 8)]


def test_the_surest_of_spans_that_share_characters_stays():
    row = marked(
        "a long text", ("X", 0, 6, 0.5), ("Y", 2, 6, 0.9), ("Z", 6, 11, 0.1), ("W", 6, 7, 1)
    )
    assert [(s.kind, s.start, s.end) for s in spans_of(row)] == [("Y", 2, 6), ("Z", 7, 11)]


def test_conll(tmp_path):
    rows = [
        marked(
            "John Smith, of New\nYork.\n\nHe left.", ("PER", 0, 10, 0.9), ("big city", 14, 24, 0.9)
        ),
        marked(""),
        marked("Ann Bob", ("PER", 0, 3, 0.9), ("PER", 3, 7, 0.9)),
    ]
    told = written("conll", tmp_path / "out.conll", rows, TASK).read_text()
    start = "-DOCSTART- -X- O O\n\n"
    assert told == (
        f"{start}John\tB-PER\nSmith\tI-PER\n,\tO\nof\tO\n"
        "New\tB-big_city\nYork\tI-big_city\n.\tI-big_city\n\nHe\tO\nleft\tO\n.\tO\n\n"
        f"{start}{start}Ann\tB-PER\nBob\tB-PER\n\n"
    )


def test_spacy_lines(tmp_path):
    text = "\U0001f6a2 sails\u2028half\udcff"
    rows = [marked(text, ("SHIP", 0, 2, 0.87512341), ("VERB", 2, 7, 0.5), row_id="1"), marked("")]
    lines = written("spacy", tmp_path / "out.jsonl", rows, TASK).read_text().splitlines()
    assert json.loads(lines[0]) == {
        "id": "1",
        "text": text,
        "ents": [
            {"start": 0, "end": 1, "label": "SHIP", "score": 0.875123},
            {"start": 2, "end": 7, "label": "VERB", "score": 0.5},
        ],
    }
    assert json.loads(lines[1])["ents"] == []


@pytest.mark.parametrize("name", ["conll", "spacy"])
def test_a_span_outside_its_text_is_refused_and_leaves_nothing(tmp_path, name):
    with (
        writer_of(name, get_task(TASK))(tmp_path / "out", origin(TASK)) as writer,
        pytest.raises(RowError, match="characters 2 to 9 are marked in a text of 3"),
    ):
        writer.write(marked("abc", ("X", 2, 9, 1.0)))
    assert (tmp_path / "out").read_text() == ""
