"""The shipped models do what their cards say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wherry.tasks
from wherry.tasks.create import create_task
from wherry.tasks.train.digits_data import load, split
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)

WEIGHTS = Path(next(iter(wherry.tasks.__path__))) / "weights"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
@pytest.mark.parametrize("edge", [32, 64, 200])
def test_digits_that_were_held_out(backend: str, edge: int) -> None:
    scans, labels = load()
    _, _, held_out = split(labels)
    size, smooth = (edge, edge), Image.Resampling.BILINEAR
    images = [png(Image.fromarray(scans[i]).resize(size, smooth)) for i in held_out]
    task = create_task(backend, "image-classification", str(WEIGHTS / "digits"), {"threads": 1})
    output = task.process(ImageClassificationInput(images=images, top_k=1))
    assert isinstance(output, ImageClassificationOutput)
    answers = [row[0].label for row in output.results]
    right = np.mean([a == str(labels[i]) for a, i in zip(answers, held_out, strict=True)])
    assert right >= 0.98


def test_digits_split_apart() -> None:
    _, labels = load()
    parts = split(labels)
    assert [len(part) for part in parts] == [1257, 180, 360]
    assert len(set(np.concatenate(parts).tolist())) == 1797
