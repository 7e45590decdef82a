"""Enlarged images against the model's own answer, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageToImage

from wherry.tasks.create import create_task
from wherry.tasks.vision.image_to_image import ImageToImageInput, ImageToImageOutput

from ....support import tiny

#: Of 255: a model's float that lies between two levels may round either way.
ONE_LEVEL = 1
SIZES = ((20, 14), (16, 16), (9, 23), (20, 14))
IMAGES = [tiny.encode(tiny.noise(w, h, seed)) for seed, (w, h) in enumerate(SIZES)]


def read(file: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(np.int64)


def own(folder: Path, data: bytes) -> NDArray[np.int64]:
    """The model's own image, padding of the processor included."""
    processor: Any = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForImageToImage.from_pretrained(folder).eval()
    tensors = processor(images=[Image.open(io.BytesIO(data))], return_tensors="pt")
    with torch.inference_mode():
        made = model(**tensors).reconstruction[0]
    values: NDArray[np.float32] = made.clamp(0, 1).permute(1, 2, 0).numpy()
    return (values * 255).round().astype(np.int64)


def test_batch_equals_the_models_own_single_answers(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("image-to-image")
    task = create_task("transformers", "image-to-image", str(folder))
    output = task.process(ImageToImageInput(images=IMAGES))
    assert isinstance(output, ImageToImageOutput)
    for file, data, (width, height) in zip(output.images, IMAGES, SIZES, strict=True):
        made, theirs = read(file), own(folder, data)
        assert made.shape == (2 * height, 2 * width, 3)
        assert theirs.shape[0] > made.shape[0]  # the processor always pads
        assert abs(made - theirs[: 2 * height, : 2 * width]).max() <= ONE_LEVEL
    first, last = read(output.images[0]), read(output.images[3])  # of one size, in one forward
    assert abs(first - last).max() > 10 * ONE_LEVEL
