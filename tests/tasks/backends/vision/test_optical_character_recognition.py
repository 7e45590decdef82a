"""TrOCR against the model's own reading, row by row; PP-OCR against what was drawn."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from transformers import TrOCRProcessor, VisionEncoderDecoderModel

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.optical_character_recognition import (
    OpticalCharacterRecognitionInput,
    OpticalCharacterRecognitionOutput,
    TextLine,
)

from ....support import tiny

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
