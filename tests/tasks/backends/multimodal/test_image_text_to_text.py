"""Against transformers' own pipeline, row by row."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import pipeline

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput, ImageTextToTextOutput

from ....support import tiny

TEXTS = ["what is it", "hello", "a photo of a cat and a dog beside the red car", "the fox"]
TOKENS = 8


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("image-text-to-text")


@pytest.fixture(scope="module")
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "image-text-to-text", str(folder))


def write(task: LocalTask, texts: list[str] = TEXTS, **parameters: Any) -> list[str]:
    output = task.process(
        ImageTextToTextInput(
            images=tiny.images(), texts=texts, **{"max_new_tokens": TOKENS, **parameters}
        )
    )
    assert isinstance(output, ImageTextToTextOutput)
    return output.texts


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_batch_equals_the_pipelines_single_answers(task: LocalTask, folder: Path) -> None:
    own = pipeline("image-text-to-text", model=str(folder))
    together = write(task)
    for text, prompt, data in zip(together, TEXTS, tiny.images(), strict=True):
        parts = [{"type": "image", "image": opened(data)}, {"type": "text", "text": prompt}]
        (answer,) = own(
            text=[{"role": "user", "content": parts}],
            return_full_text=False,
            generate_kwargs={"max_new_tokens": TOKENS, "do_sample": False},
        )
        assert text == answer["generated_text"].strip()
    assert len(set(together)) == 4  # rows do differ


def test_the_image_counts(task: LocalTask) -> None:
    assert len(set(write(task, ["hello"]))) > 1


def test_one_text_serves_all_images(task: LocalTask) -> None:
    assert write(task, ["hello"]) == write(task, ["hello"] * 4)


def test_without_a_chat_template_the_image_stands_first(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "chat_template.jinja").unlink()
    task = create_task("transformers", "image-text-to-text", str(bare))
    backend: Any = task.backend
    own = pipeline("image-text-to-text", model=str(bare))
    (answer,) = own(
        images=opened(tiny.images()[2]),
        text=f"<image>\n{TEXTS[2]}",
        return_full_text=False,
        generate_kwargs={"max_new_tokens": TOKENS, "do_sample": False},
    )
    assert backend.processor.chat_template is None
    assert write(task)[2] == answer["generated_text"].strip()


def test_a_mark_of_an_image_in_the_text_is_no_image(task: LocalTask) -> None:
    assert write(task, ["hel<image>lo"]) == write(task, ["hello"])


def test_another_number_of_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="texts"):
        ImageTextToTextInput(images=tiny.images(), texts=["a", "b"])
