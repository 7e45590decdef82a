"""How transformers' documentation asks each kind of model about a picture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

#: How many tokens each may write.
TOKENS = 6

#: (model, processor, picture, text) -> what is said.
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


#: By the type of the model.
ASKED: dict[str, Ask] = {
    "blip": _text,
    "blip-2": _text,
    "florence2": _florence,
    "git": _git,
    "instructblip": _text,
    "kosmos-2": _kosmos,
    "paligemma": _paligemma,
    "pix2struct": _pix2struct,
    "vision-encoder-decoder": _donut,
}
