"""Processors that transformers makes with torchvision alone, built without it for still pictures.

The expected answers are of transformers' own image processor, tokenizer and `generate`, with the
marks of the picture written by hand, as each model's documentation describes them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from transformers.utils.import_utils import is_torchvision_available

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput

from ....support import tiny

pytestmark = pytest.mark.skipif(
    is_torchvision_available(), reason="torchvision is here: transformers makes them itself"
)

TEXTS = ["what is it", "hello", "a photo of a cat and a dog beside the red car", "the fox"]
TOKENS = 6


def _qwen(made: dict[str, Any]) -> str:
    places = int(made["image_grid_thw"][0].prod()) // 4
    return f"<|vision_start|>{'<|image_pad|>' * places}<|vision_end|>"


def _smolvlm(made: dict[str, Any]) -> str:
    rows, columns = made.pop("rows")[0][0], made.pop("cols")[0][0]
    parts = "".join(
        "".join(
            f"<fake_token_around_image><row_{row + 1}_col_{column + 1}>{'<image>' * 4}"
            for column in range(columns)
        )
        + "\n"
        for row in range(rows)
    )
    whole = f"<fake_token_around_image><global-img>{'<image>' * 4}<fake_token_around_image>"
    return f"{parts}\n{whole}" if parts else whole


def _internvl(made: dict[str, Any]) -> str:
    return f"<img>{'<IMG_CONTEXT>' * (4 * int(made.pop('num_patches')[0]))}</img>"


def _mistral3(made: dict[str, Any]) -> str:
    height, width = (int(edge) // 16 for edge in made["image_sizes"][0])
    return "[IMG_BREAK]".join(["[IMG]" * width] * height) + "[IMG_END]"


CASES: dict[str, tuple[Callable[[dict[str, Any]], str], dict[str, Any]]] = {
    "qwen2-vl": (_qwen, {}),
    "qwen2.5-vl": (_qwen, {}),
    "qwen3-vl": (_qwen, {}),
    "smolvlm": (_smolvlm, {"return_row_col_info": True}),
    "internvl": (_internvl, {"crop_to_patches": True}),
    "mistral3": (_mistral3, {"patch_size": 16}),
}


def _documented(folder: Path, text: str, file: bytes, name: str) -> str:
    """What the model's parts say, put together by hand."""
    picture, settings = CASES[name]
    images = AutoImageProcessor.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    image = Image.open(io.BytesIO(file)).convert("RGB")
    made = dict(images(images=[image], return_tensors="pt", **settings))
    mark = picture(made)
    prompt = f"<|im_start|>user\n{mark}{text}<|im_end|>\n<|im_start|>assistant\n"
    tokens = dict(tokenizer(prompt, return_tensors="pt", return_token_type_ids=False))
    if name.startswith("qwen"):
        made["mm_token_type_ids"] = (tokens["input_ids"] == model.config.image_token_id).int()
    with torch.inference_mode():
        written = model.generate(**tokens, **made, max_new_tokens=TOKENS, do_sample=False)
    start = tokens["input_ids"].shape[1]
    said: str = tokenizer.decode(written[0, start:], skip_special_tokens=True)
    return said.strip()


@pytest.mark.parametrize("name", CASES)
def test_a_processor_of_videos_reads_still_pictures(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    folder = tiny_model(f"image-text-to-text-{name}")
    task = create_task("transformers", "image-text-to-text", str(folder))
    files = tiny.images()
    output = task.process(ImageTextToTextInput(images=files, texts=TEXTS, max_new_tokens=TOKENS))
    said = output.texts  # type: ignore[attr-defined] # its own Output
    assert len(set(said)) > 1  # rows do differ
    assert said == [_documented(folder, *row, name) for row in zip(TEXTS, files, strict=True)]
    task.backend.warm_up()
    assert task.backend.company.batching == "padded"


def test_a_model_that_needs_torchvision_names_the_extra(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    settings = {"image_processor_type": "Lfm2VlImageProcessorFast"}
    for file in tiny_model("image-text-to-text-qwen2-vl").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelRefused, match=r"pip install 'wherry\[torchvision\]'$") as refused:
        create_task("transformers", "image-text-to-text", str(tmp_path))
    assert "\n" not in str(refused.value)
