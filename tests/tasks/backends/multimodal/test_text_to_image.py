"""Against diffusers' own pipeline, row by row."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.text_to_image import TextToImageInput, TextToImageOutput

from ....support.later import Later

diffusers = Later("diffusers")
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("diffusers") is None, reason="in the extra of its name"
)

PROMPTS = ["a photo of a cat", "a red car", "the quick brown fox jumps over the lazy dog"]


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("text-to-image")


@pytest.fixture(scope="module")
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "text-to-image", str(folder))


def draw(task: LocalTask, prompts: list[str] = PROMPTS, **parameters: Any) -> list[NDArray[Any]]:
    settings = {"num_inference_steps": 2, "seed": 7, **parameters}
    output = task.process(TextToImageInput(prompts=prompts, **settings))
    assert isinstance(output, TextToImageOutput)
    images = [Image.open(io.BytesIO(data)) for data in output.images]
    assert {image.format for image in images} == {"PNG"}
    return [np.asarray(image).astype(int) for image in images]


def differ(one: NDArray[Any], other: NDArray[Any]) -> int:
    """The largest difference of a colour; rounding alone makes one."""
    return int(np.abs(one - other).max())


def test_batch_equals_the_pipelines_single_pictures(task: LocalTask, folder: Path) -> None:
    own = diffusers.StableDiffusionPipeline.from_pretrained(folder)
    own.set_progress_bar_config(disable=True)
    together = draw(task)
    for picture, prompt in zip(together, PROMPTS, strict=True):
        chance = torch.Generator().manual_seed(7)
        (expected,) = own(prompt, num_inference_steps=2, generator=chance).images
        assert differ(picture, np.asarray(expected).astype(int)) <= 1
    assert differ(together[0], together[1]) > 1  # rows do differ


def test_without_a_seed_chance_draws(task: LocalTask) -> None:
    assert differ(*(draw(task, PROMPTS[:1], seed=None)[0] for _ in range(2))) > 10


def test_the_size_is_as_asked(task: LocalTask) -> None:
    assert draw(task, PROMPTS[:1])[0].shape == (32, 32, 3)
    assert draw(task, PROMPTS[:1], width=48, height=16)[0].shape == (16, 48, 3)


def test_a_picture_that_the_checker_refuses_is_that_rows_error(
    task: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(**given: Any) -> SimpleNamespace:
        count = len(given["prompt"])
        images = [Image.new("RGB", (8, 8))] * count
        return SimpleNamespace(images=images, nsfw_content_detected=[i == 1 for i in range(count)])

    monkeypatch.setattr(task.backend, "model", checked)
    kinds = [type(row) for row in task.backend.run(TextToImageInput(prompts=PROMPTS).rows())]
    assert kinds == [TextToImageOutput, RowError, TextToImageOutput]


def test_without_diffusers_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "wherry.tasks.backends.transformers.multimodal.text_to_image"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ModuleNotFoundError, match=r"wherry\[diffusers\]"):
        create_task("transformers", "text-to-image")
