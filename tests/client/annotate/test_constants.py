"""Inputs that all rows share: one prompt for a whole folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.constants import constants_of, shared_by_all
from wherry.client.annotate.packing import Packed, Packer
from wherry.client.annotate.prepared import Options, source_of
from wherry.client.annotate.rows import Origin, UnreadableRow
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.samples import PNG

from .opened import open_source

TALK = get_task("image-text-to-text")


def origin(task: Any, inputs: dict[str, Any]) -> Origin:
    return Origin(task, "sea", "1", constants_of(task, inputs), "photos")


def rows(source: Path, task: Any, **inputs: Any) -> list[Any]:
    options = Options(source=str(source), model="sea", out=Path("out"), inputs=inputs)
    return list(source_of(options, origin(task, inputs)))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(PNG)
    (folder / "c.png").write_bytes(b"")
    return folder


def test_one_prompt_serves_a_folder(photos):
    found = rows(photos, TALK, text="What is it?")
    assert [row.id for row in found] == ["a.png", "b.png", "c.png"]
    assert found[0].values == {"images": PNG, "texts": "What is it?"}
    assert isinstance(found[2], UnreadableRow)
    [packed] = Packer(origin(TALK, {"text": "What is it?"})).pack([(b"key", found[0])])
    assert isinstance(packed, Packed)
    assert packed.given == ImageTextToTextInput(images=[PNG], texts=["What is it?"])


def test_another_prompt_makes_other_rows(photos):
    keys = set()
    for text in ("What is it?", "Where is it?"):
        [first, *_] = rows(photos, TALK, text=text)
        keys.add(Packer(origin(TALK, {"text": text})).key(first.values))
    assert len(keys) == 2


def test_a_table_needs_no_column_of_it(tmp_path, photos):
    table = photos / "rows.jsonl"
    table.write_text(json.dumps({"image": "a.png", "text": "not this"}) + "\n")
    [row] = rows(table, TALK, texts="What is it?")
    assert row.values == {"images": PNG, "texts": "What is it?"}


def test_the_context_may_be_what_differs(tmp_path):
    (tmp_path / "one.txt").write_text("The boat is red.")
    [row] = rows(tmp_path, get_task("question-answering"), question="What is red?")
    assert row.values == {"contexts": "The boat is red.", "questions": "What is red?"}


@pytest.mark.parametrize(
    ("task", "given", "field", "value"),
    [
        ("image-text-to-text", {"text": "17"}, "texts", "17"),
        ("visual-question-answering", {"question": "true"}, "question", "true"),
        (
            "zero-shot-image-classification",
            {"candidate_labels": '["cat", "cup"]'},
            "candidate_labels",
            ["cat", "cup"],
        ),
        (
            "zero-shot-image-classification",
            {"candidate_labels": ["cat", "cup"]},
            "candidate_labels",
            ["cat", "cup"],
        ),
        ("keypoint-detection", {"boxes": "[[0, 0, 9, 9]]"}, "boxes", [[0, 0, 9, 9]]),
    ],
)
def test_values_are_read_as_the_input_wants_them(task, given, field, value):
    assert constants_of(get_task(task), given) == {field: value}


@pytest.mark.parametrize(
    ("task", "given", "says"),
    [
        ("image-text-to-text", {"txt": "x"}, "no such input: image, text"),
        ("image-text-to-text", {"image": "a.png"}, "files are what the source has"),
        ("image-text-to-text", {"text": 17}, "expected text, got int"),
        ("keypoint-detection", {"boxes": "[0"}, "is not JSON"),
    ],
)
def test_what_cannot_be_shared_is_said(task, given, says):
    with pytest.raises(InvalidRequest, match=says):
        constants_of(get_task(task), given)


@pytest.mark.parametrize("name", task_names())
def test_what_an_example_has_may_be_shared(name):
    task = get_task(name)
    example = task.example.input
    parameters = {p: getattr(example, p) for p in task.input.parameter_names()}
    whole = [spec.field for spec in task.inputs if spec.field not in task.input.ROWS]
    inputs = {field: getattr(example, field) for field in whole}
    assert shared_by_all(task, parameters, inputs) == {**parameters, **inputs}


@pytest.mark.parametrize(
    ("task", "parameters", "inputs", "says"),
    [
        ("image-classification", {"top_k": "abc"}, {}, "top_k: 'abc' should be a valid integer"),
        ("image-classification", {"top_k": 0}, {}, "top_k: 0 should be greater than or equal"),
        (
            "object-detection",
            {"threshold": 2},
            {},
            "threshold: 2 should be less than or equal to 1",
        ),
        (
            "object-detection",
            {"treshold": 1},
            {},
            "background, threshold; did you mean 'threshold'?",
        ),
        ("token-classification", {"aggregation_strategy": "mean"}, {}, "'mean' should be 'none', "),
        ("token-classification", {"stride": 2}, {}, "param stride: needs an aggregation_strategy"),
        ("summarization", {"stop": ["a", 1]}, {}, r"param stop\[1\]: 1 should be a valid string"),
        ("zero-shot-image-classification", {}, {}, "needs candidate_labels, the same for all rows"),
        ("visual-question-answering", {}, {}, "--input question="),
        (
            "zero-shot-image-classification",
            {},
            {"candidate_labels": '"cat"'},
            "input candidate_labels: 'cat' should be a valid list",
        ),
        (
            "zero-shot-image-classification",
            {},
            {"candidate_labels": "cat"},
            r"'cat' is not JSON: expected a list, \[\"cat\", \"cup\"\]",
        ),
        (
            "zero-shot-image-classification",
            {"candidate_labels": ["cat"]},
            {"candidate_labels": ["cup"]},
            "candidate_labels is given twice",
        ),
        ("image-text-to-text", {}, {"text": "a", "texts": "b"}, "is given twice, as text and as"),
        ("keypoint-detection", {}, {"boxes": "[[0, 0, 9]]"}, r"input boxes\[0\].*at least 4"),
        ("keypoint-detection", {}, {"boxs": "[]"}, "did you mean 'boxes'?"),
    ],
)
def test_what_no_row_could_be_sent_with_is_said_before_any_is(task, parameters, inputs, says):
    with pytest.raises(UsageError, match=says) as raised:
        shared_by_all(get_task(task), parameters, inputs)
    assert "\n" not in raised.value.message


def test_what_rows_bring_may_decide_what_fits():
    """A prompt of token numbers goes with an empty text, which a table may have."""
    task = get_task("text-generation")
    assert shared_by_all(task, {}, {"token_ids": "[1, 2]"}) == {"token_ids": [1, 2]}


def test_a_folder_that_lacks_an_input_says_how_to_share_it(photos):
    with pytest.raises(InvalidRequest, match=r"one text for all rows \(--input text=\.\.\.\)"):
        open_source(str(photos), TALK)
