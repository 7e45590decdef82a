"""Inputs that all rows share: one prompt for a whole folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.annotate import Options, source_of
from wherry.client.annotate.constants import constants_of
from wherry.client.annotate.packing import Packer
from wherry.client.annotate.rows import Origin, UnreadableRow
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput
from wherry.tasks.registry import get_task
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
    packed = Packer(origin(TALK, {"text": "What is it?"})).pack(found[0])
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


def test_a_folder_that_lacks_an_input_says_how_to_share_it(photos):
    with pytest.raises(InvalidRequest, match=r"one text for all rows \(--input text=\.\.\.\)"):
        open_source(str(photos), TALK)
