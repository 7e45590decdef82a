"""TrOCR against the model's own reading, row by row; PP-OCR against what was drawn."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped] # it ships no types
import pytest
from PIL import Image, ImageDraw, ImageFont
from transformers import TrOCRProcessor, VisionEncoderDecoderModel

from wherry.protocol.errors import RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.media.pages import open_pages
from wherry.tasks.parts import Parts
from wherry.tasks.vision.optical_character_recognition import (
    OpticalCharacterRecognitionInput,
    OpticalCharacterRecognitionOutput,
    TextLine,
)

from ....support import pictures, tiny

TOLERANCE = 1e-4
TOKENS = 8


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("optical-character-recognition")


@pytest.fixture(scope="module")
def trocr(folder: Path) -> LocalTask:
    return create_task(
        "transformers",
        "optical-character-recognition",
        str(folder),
        {"max_new_tokens": TOKENS},
    )


@pytest.fixture(scope="module")
def pages() -> LocalTask:
    pytest.importorskip("rapidocr", reason="in the extra ocr")
    return create_task("onnxruntime", "optical-character-recognition", None, {"threads": 1})


def read(task: LocalTask, images: list[bytes], threshold: float = 0.0) -> list[list[TextLine]]:
    output = task.process(OpticalCharacterRecognitionInput(images=images, threshold=threshold))
    assert isinstance(output, OpticalCharacterRecognitionOutput)
    return output.lines


def own_line(folder: Path, data: bytes) -> tuple[str, float]:
    model = VisionEncoderDecoderModel.from_pretrained(folder).eval()
    processor = TrOCRProcessor.from_pretrained(folder)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    made = model.generate(
        processor(images=image, return_tensors="pt").pixel_values,
        max_new_tokens=TOKENS,
        return_dict_in_generate=True,
        output_scores=True,
    )
    chances = model.compute_transition_scores(made.sequences, made.scores, normalize_logits=True)
    text = processor.batch_decode(made.sequences, skip_special_tokens=True)[0]
    return text.strip(), float(chances.mean().exp())


def test_batch_equals_the_models_own_single_lines(trocr: LocalTask, folder: Path) -> None:
    together = read(trocr, tiny.images())
    for (line,), data in zip(together, tiny.images(), strict=True):
        text, score = own_line(folder, data)
        assert line.text == text
        assert line.score == pytest.approx(score, abs=TOLERANCE)
        box = line.box
        assert (box.xmin, box.ymin) == (0, 0)
        assert (box.xmax, box.ymax) == Image.open(io.BytesIO(data)).size
    assert len({line.text for (line,) in together}) > 2  # rows do differ


def test_a_line_ends_where_the_model_ends_it(folder: Path, tmp_path: Path) -> None:
    model = VisionEncoderDecoderModel.from_pretrained(folder)
    processor = TrOCRProcessor.from_pretrained(folder)
    data = tiny.images()[:2]
    pixels = processor(images=Image.open(io.BytesIO(data[0])), return_tensors="pt").pixel_values
    # The first token of the first image now ends a text; the second image's goes on.
    model.generation_config.eos_token_id = int(model.generate(pixels, max_new_tokens=1)[0, -1])
    for part in (model, processor):
        part.save_pretrained(tmp_path)

    def lines(source: Path, tokens: int) -> list[TextLine]:
        parameters = {"max_new_tokens": tokens}
        task = create_task("transformers", "optical-character-recognition", str(source), parameters)
        return [line for (line,) in read(task, data)]

    (ended, gone_on), (first, second) = lines(tmp_path, TOKENS), lines(folder, 1)
    assert ended.text == first.text
    assert ended.score == pytest.approx(first.score, abs=TOLERANCE)
    assert len(gone_on.text) > len(second.text)


def drawn(*lines: str, width: int = 400) -> bytes:
    image = Image.new("RGB", (width, 300), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text(
            (20, 20 + 70 * number), line, fill="black", font=ImageFont.load_default(32)
        )
    return tiny.encode(image)


def test_a_sentence_is_read_back(pages: LocalTask) -> None:
    (line,) = read(pages, [drawn("The ferry leaves at noon.")])[0]
    assert line.text == "The ferry leaves at noon."
    assert line.score > 0.9
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).textbbox(
        (20, 20), line.text, font=ImageFont.load_default(32)
    )
    box = line.box
    assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx(
        (left, top, right, bottom), abs=8
    )


def test_pages_of_several_lines_and_sizes(pages: LocalTask) -> None:
    found = read(
        pages, [drawn("Invoice 2026-104", "Total: 39.50 EUR"), drawn("Hello world", width=500)]
    )
    assert [[line.text for line in row] for row in found] == [
        ["Invoice 2026-104", "Total: 39.50 EUR"],
        ["Hello world"],
    ]


def test_nothing_is_read_where_nothing_is(pages: LocalTask) -> None:
    narrow = tiny.encode(Image.new("RGB", (2, 100), "white"))
    assert read(pages, [narrow]) == [[]]


def test_without_rapidocr_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("image.page_reader", "onnx.optical_character_recognition"):
        monkeypatch.delitem(sys.modules, f"wherry.tasks.backends.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ModuleNotFoundError, match=r"wherry\[ocr\]"):
        create_task("onnxruntime", "optical-character-recognition")


def sheets() -> list[Image.Image]:
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in tiny.images()[:3]]


@pytest.mark.parametrize("form", ["PDF", "TIFF"])
def test_a_document_is_read_page_by_page_as_its_pages_are(trocr: LocalTask, form: str) -> None:
    document = pictures.paged(sheets(), form, **({"resolution": 72} if form == "PDF" else {}))
    alone = [tiny.encode(image) for image in open_pages(document, dpi=72).images([0, 1, 2])]
    single = read(trocr, alone)
    given = OpticalCharacterRecognitionInput(
        images=[alone[0], document, alone[1]], threshold=0, dpi=72
    )
    output = trocr.process(given)
    assert isinstance(output, OpticalCharacterRecognitionOutput)
    first, whole, second = output.lines
    assert [line.page for line in whole] == [1, 2, 3]
    for line, (wanted,) in zip(whole, single, strict=True):
        assert (line.text, line.box) == (wanted.text, wanted.box)
        assert line.score == pytest.approx(wanted.score, abs=TOLERANCE)
    assert [first[0].text, second[0].text] == [single[0][0].text, single[1][0].text]
    assert (first[0].page, output.warning) == (1, "")
    answer = trocr(given.to_inference_request())
    assert OpticalCharacterRecognitionOutput.of(answer).lines[1][2].page == 3


def test_what_moves_is_read_once_unless_all_is_wanted(trocr: LocalTask) -> None:
    moving = pictures.paged([image.resize((40, 24)) for image in sheets()], "GIF")
    document = pictures.paged(sheets(), resolution=72)

    def pages_read(data: bytes, **given: str) -> list[int]:
        made = OpticalCharacterRecognitionInput.validated(
            {"images": [data], "threshold": 0.0, "dpi": 72, **given}
        )
        output = trocr.process(made)
        assert isinstance(output, OpticalCharacterRecognitionOutput)
        return [line.page for line in output.lines[0]]

    assert pages_read(moving) == [1]
    assert pages_read(moving, frames="all") == [1, 2, 3]
    assert pages_read(document, frames="first") == [1]
    assert pages_read(pictures.paged(sheets()[:1], resolution=72)) == [1]


def test_a_page_that_cannot_be_read_is_its_rows_error(trocr: LocalTask) -> None:
    document = pictures.paged([*sheets()[:2], Image.new("RGB", (4000, 4000))], resolution=72)
    rows = OpticalCharacterRecognitionInput(images=[document, *tiny.images()[:1]], dpi=200).rows()
    parts = Parts(rows)
    assert len(parts.rows) == 4
    broken, whole = parts.answers(trocr.backend.run(parts.rows))
    assert isinstance(broken, RowError)
    assert broken.message.startswith("page 3 of the PDF has 11111 x 11111 pixels")
    assert isinstance(whole, OpticalCharacterRecognitionOutput)


def test_a_written_page_is_read_as_its_own_text(pages: LocalTask) -> None:
    lines = ["Invoice 2026-104", "Total: 39.50 EUR"]
    shown = "".join(
        f"BT /F1 12 Tf 8 {90 - 30 * n} Td ({text}) Tj ET " for n, text in enumerate(lines)
    )
    document = pictures.written_pdf(
        [shown, "BT /F1 12 Tf 8 60 Td (Thank you) Tj ET"], box="0 0 120 120"
    )
    own = [
        page.get_textpage().get_text_range().splitlines()
        for page in pypdfium2.PdfDocument(document)
    ]
    (found,) = read(pages, [document])
    assert own == [lines, ["Thank you"]]
    assert [[line.text for line in found if line.page == number] for number in (1, 2)] == own
