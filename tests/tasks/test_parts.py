"""What of files with several pages is read by tasks that look at one picture, and said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.protocol.errors import BackendError, InvalidRequest, RowError
from wherry.tasks.create import create_task
from wherry.tasks.media import pages, unread
from wherry.tasks.parts import Parts
from wherry.tasks.registry import get_task
from wherry.tasks.vision.documents import MAX_PAGES
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.optical_character_recognition import (
    OpticalCharacterRecognitionInput,
    OpticalCharacterRecognitionOutput,
)

from ..support import pictures, tiny

TWO = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
ONE = tiny.images()[0]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("PDF", "the file has 2 pages and only the first was read: `wherry annotate --fr"),
        ("TIFF", "the file has 2 pages and only the first was read: `wherry annotate --fr"),
        ("GIF", "the file has 2 frames and only the first was read: send the others as pictures"),
    ],
)
def test_a_row_says_what_of_its_file_was_not_read(form: str, said: str) -> None:
    several = pictures.paged(TWO, form)
    task = create_task("stub", "image-classification")
    assert task.run(images=[several]).parameters["warning"].startswith(said)
    both = task.run(images=[ONE, several]).parameters
    assert both["warning"].startswith(f"row 1: {said}")
    assert not task.run(images=[ONE]).parameters


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("keypoint-matching", {"pairs": [[ONE, pictures.paged(TWO)]]}),
        ("visual-document-retrieval", {"queries": ["q"], "pages": [[ONE, pictures.paged(TWO)]]}),
        ("multimodal-embedding", {"images": [pictures.paged(TWO)]}),
    ],
)
def test_every_task_with_pictures_says_it(name: str, fields: dict[str, Any]) -> None:
    assert "2 pages" in create_task("stub", name).run(**fields).parameters["warning"]


def test_a_document_of_too_many_pages_is_refused_before_it_is_read() -> None:
    long = pictures.written_pdf([""] * (MAX_PAGES + 1))
    (row,) = OpticalCharacterRecognitionInput(images=[long]).rows()
    with pytest.raises(RowError, match="the file has 1001 pages; 1000 are allowed"):
        row.parts()


def test_frames_that_a_scan_only_claims_to_have_take_no_memory() -> None:
    scan = pictures.dicom(np.zeros((4, 4), np.uint8), NumberOfFrames=2_000_000_000)
    (row,) = OpticalCharacterRecognitionInput(images=[scan], frames="all").rows()
    with pytest.raises(RowError, match="has 2000000000 pages; 1000 are allowed"):
        row.parts()


def test_what_is_said_of_pages_is_said_of_their_document() -> None:
    document = OpticalCharacterRecognitionInput(images=[pictures.paged(TWO)])
    parts = Parts(document.rows())
    nothing = OpticalCharacterRecognitionOutput(lines=[[]])
    said = [nothing.warned("the page is dark"), nothing.warned("the page is dark")]
    for answers, told in (
        (said, "the page is dark"),
        ([said[0], nothing.warned("it is torn")], "the page is dark; it is torn"),
        ([nothing, nothing], ""),
    ):
        (whole,) = parts.answers(answers)
        assert isinstance(whole, OpticalCharacterRecognitionOutput)
        assert whole.warning == told


def test_a_reader_that_breaks_fails_its_row_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes, **_: object) -> Any:
        raise ZeroDivisionError(data)

    nothing = OpticalCharacterRecognitionOutput(lines=[[]])
    document = OpticalCharacterRecognitionInput(images=[ONE, pictures.paged(TWO)])
    monkeypatch.setattr(pages, "open_pages", broken)
    parts = Parts(document.rows())
    assert len(parts.rows) == 1
    good, bad = parts.answers([nothing])
    assert good == nothing
    assert isinstance(bad, BackendError)
    assert "ZeroDivisionError" in bad.message

    monkeypatch.setattr(unread, "open_pages", broken)
    asked = ImageClassificationInput(images=[ONE, pictures.paged(TWO)])
    plain = ImageClassificationOutput(results=[[]])
    good, bad = Parts(asked.rows()).answers([plain, plain])
    assert good == plain
    assert isinstance(bad, BackendError)


@pytest.mark.parametrize("colour", ["#12345", "nocolour", "rgb(1,2,3)", "", "white; x"])
def test_a_background_is_a_colour(colour: str) -> None:
    task = get_task("image-classification")
    for good in ("white", "Navy", "#00fF00"):
        task.input.validated({"images": [ONE], "background": good})
    with pytest.raises(InvalidRequest, match="background"):
        task.input.validated({"images": [ONE], "background": colour})
