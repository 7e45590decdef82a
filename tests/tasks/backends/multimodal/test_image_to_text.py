"""Against the model's own captions, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    VisionEncoderDecoderModel,
)

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.image_to_text import ImageToTextInput, ImageToTextOutput

from ....support import tiny

TOKENS = 8


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("image-to-text")


@pytest.fixture(scope="module")
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "image-to-text", str(folder))


def captions(task: LocalTask, tokens: int = TOKENS) -> list[str]:
    output = task.process(ImageToTextInput(images=tiny.images(), max_new_tokens=tokens))
    assert isinstance(output, ImageToTextOutput)
    return output.texts


def own_captions(folder: Path) -> list[str]:
    model = VisionEncoderDecoderModel.from_pretrained(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = []
    for data in tiny.images():
        pixels = processor(images=Image.open(io.BytesIO(data)), return_tensors="pt").pixel_values
        written = model.generate(pixel_values=pixels, max_new_tokens=TOKENS, do_sample=False)
        texts.append(tokenizer.decode(written[0], skip_special_tokens=True).strip())
    return texts


def test_batch_equals_the_models_own_single_captions(task: LocalTask, folder: Path) -> None:
    together = captions(task)
    assert together == own_captions(folder)
    assert len(set(together)) > 2  # rows do differ


def test_no_more_tokens_than_the_model_has_positions(task: LocalTask) -> None:
    assert captions(task, 10_000) == captions(task, 63)


@pytest.mark.parametrize("name", ["blip", "blip-2", "git", "pix2struct"])
def test_captioners_of_other_kinds(name: str, tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model(f"image-text-to-text-{name}")
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    expected = []
    for data in tiny.images():
        image = Image.open(io.BytesIO(data)).convert("RGB")
        inputs = processor(images=image, return_tensors="pt")
        written = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
        expected.append(processor.decode(written[0], skip_special_tokens=True).strip())
    together = captions(create_task("transformers", "image-to-text", str(folder)))
    assert together == expected
    # Rows do differ, but for random queries: they ask the same of every picture.
    assert len(set(together)) > 1 or name == "blip-2"
