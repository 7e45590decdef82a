"""Models that are asked in a way of their own, against the call that transformers documents."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput

from ....support import tiny

TEXTS = ["what is it", "hello", "a photo of a cat and a dog beside the red car", "the fox"]
TOKENS = 6

Ask = Callable[[Any, Any, Image.Image, str], str]


def _generate(model: Any, **inputs: Any) -> Any:
    with torch.inference_mode():
        return model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)[0]


def _text(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    """BLIP, BLIP-2, InstructBLIP: the processor is given both; the answer goes on from the text."""
    inputs = processor(images=image, text=text, return_tensors="pt")
    written = _generate(model, **inputs)
    # BLIP's prompt is without the end that its tokenizer sets.
    start = inputs["input_ids"].shape[1] - (model.config.model_type == "blip")
    return str(processor.decode(written[start:], skip_special_tokens=True))


def _florence(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    inputs = processor(text=text, images=image, return_tensors="pt")
    whole = processor.batch_decode(_generate(model, **inputs)[None], skip_special_tokens=False)[0]
    task = (re.findall(r"^<[A-Z_]+>", text) or [text])[0]
    found = processor.post_process_generation(whole, task=task, image_size=image.size)[task]
    return found if isinstance(found, str) else json.dumps(found)


def _git(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    pixels = processor(images=image, return_tensors="pt").pixel_values
    ids = processor(text=text, add_special_tokens=False).input_ids
    ids = torch.tensor([processor.tokenizer.cls_token_id, *ids]).unsqueeze(0)
    written = _generate(model, pixel_values=pixels, input_ids=ids)
    return str(processor.decode(written[ids.shape[1] :], skip_special_tokens=True))


def _kosmos(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    inputs = processor(text=text, images=image, return_tensors="pt")
    written = _generate(
        model,
        pixel_values=inputs["pixel_values"],
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        image_embeds_position_mask=inputs["image_embeds_position_mask"],
    )
    return str(processor.decode(written[inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def _paligemma(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    inputs = processor(images=image, text=f"<image>{text}", return_tensors="pt")
    written = _generate(model, **inputs)
    return str(processor.decode(written[inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def _pix2struct(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    inputs = processor(images=image, text=text, return_tensors="pt")
    written = _generate(model, **inputs)
    start = inputs["decoder_input_ids"].shape[1]
    # transformers writes its own start before one that is given
    start += int(written[0] == model.generation_config.decoder_start_token_id)
    return str(processor.decode(written[start:], skip_special_tokens=True))


def _donut(model: Any, processor: Any, image: Image.Image, text: str) -> str:
    started = processor.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    pixels = processor(image, return_tensors="pt").pixel_values
    written = _generate(model, pixel_values=pixels, decoder_input_ids=started)
    own = int(written[0] == model.generation_config.decoder_start_token_id)
    if not text.startswith("<s_"):
        return str(processor.decode(written[started.shape[1] + own :], skip_special_tokens=True))
    whole = processor.batch_decode(written[own:][None])[0]
    whole = whole.replace(processor.tokenizer.eos_token, "").replace(
        processor.tokenizer.pad_token, ""
    )
    return json.dumps(processor.token2json(re.sub(r"<.*?>", "", whole, count=1).strip()))


ASKED: dict[str, tuple[Ask, list[str]]] = {
    "blip": (_text, TEXTS),
    "blip-2": (_text, TEXTS),
    "instructblip": (_text, TEXTS),
    "florence-2": (
        _florence,
        ["<OD>", "<CAPTION>", "<CAPTION_TO_PHRASE_GROUNDING>a cat", "the fox"],
    ),
    "git": (_git, TEXTS),
    "kosmos-2": (_kosmos, TEXTS),
    "paligemma": (_paligemma, TEXTS),
    "pix2struct": (_pix2struct, TEXTS),
    "donut": (
        _donut,
        [f"<s_docvqa><s_question>{text}</s_question><s_answer>" for text in TEXTS[:2]] + TEXTS[2:],
    ),
}


def _answers(task: LocalTask, texts: list[str]) -> list[str]:
    output = task.process(
        ImageTextToTextInput(images=tiny.images(), texts=texts, max_new_tokens=TOKENS)
    )
    said: list[str] = output.texts  # type: ignore[attr-defined] # its own Output
    return said


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # PaliGemma's own labels
@pytest.mark.parametrize("name", ASKED)
def test_each_is_asked_as_its_documentation_has_it(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    ask, texts = ASKED[name]
    folder = tiny_model(f"image-text-to-text-{name}")
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    files = [Image.open(io.BytesIO(data)).convert("RGB") for data in tiny.images()]
    task = create_task("transformers", "image-text-to-text", str(folder))
    said = _answers(task, texts)
    assert said == [ask(model, processor, *row).strip() for row in zip(files, texts, strict=True)]
    assert len(set(said)) > 1  # rows do differ
