"""Models that are asked in a way of their own, against the call that transformers documents."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput

from ....support import tiny
from ....support.asking import ASKED, TOKENS

TEXTS = ["what is it", "hello", "a photo of a cat and a dog beside the red car", "the fox"]
#: What other kinds than TEXTS are asked.
OTHERS = {
    "florence-2": ["<OD>", "<CAPTION>", "<CAPTION_TO_PHRASE_GROUNDING>a cat", "the fox"],
    "donut": [
        *(f"<s_docvqa><s_question>{text}</s_question><s_answer>" for text in TEXTS[:2]),
        *TEXTS[2:],
    ],
}
KINDS = ("blip", "blip-2", "donut", "florence-2", "git", "instructblip", "kosmos-2", "paligemma")


def _answers(task: LocalTask, texts: list[str]) -> list[str]:
    output = task.process(
        ImageTextToTextInput(images=tiny.images(), texts=texts, max_new_tokens=TOKENS)
    )
    said: list[str] = output.texts  # type: ignore[attr-defined] # its own Output
    return said


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # PaliGemma's own labels
@pytest.mark.parametrize("name", [*KINDS, "pix2struct"])
def test_each_is_asked_as_its_documentation_has_it(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    texts = OTHERS.get(name, TEXTS)
    folder = tiny_model(f"image-text-to-text-{name}")
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    files = [Image.open(io.BytesIO(data)).convert("RGB") for data in tiny.images()]
    task = create_task("transformers", "image-text-to-text", str(folder))
    said = _answers(task, texts)
    ask = ASKED[model.config.model_type]
    assert said == [ask(model, processor, *row).strip() for row in zip(files, texts, strict=True)]
    assert len(set(said)) > 1  # rows do differ
