"""What only a CUDA device can show. Run by `make test-gpu`; skipped where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import numpy as np
import pytest

import wherry.samples
from wherry.client import Client
from wherry.ops.demo.inputs import digits
from wherry.ops.stack import Stack
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.workers.device import list_gpus

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not list_gpus(), reason="this machine has no NVIDIA GPU"),
]

WEIGHTS = Path(next(iter(wherry.samples.__path__))) / "weights"


def scores(device: str, images: list[bytes], **parameters: str) -> np.ndarray:
    given = {"device": device, **parameters}
    with create_task(
        "transformers", "image-classification", str(WEIGHTS / "digits"), given
    ) as task:
        output = task.process(ImageClassificationInput(images=images, top_k=10))
    assert isinstance(output, ImageClassificationOutput)
    rows = [sorted(row, key=lambda found: found.label) for row in output.results]
    return np.array([[found.score for found in row] for row in rows])


def test_the_gpu_answers_as_the_cpu_does() -> None:
    images = [digit.data for digit in digits(64)]
    here, there = scores("cpu", images), scores("cuda:0", images)
    assert np.abs(here - there).max() <= 1e-3


def test_half_precision_gives_the_same_labels() -> None:
    images = [digit.data for digit in digits(64)]
    here = scores("cpu", images).argmax(1)
    assert (scores("cuda:0", images, dtype="bfloat16").argmax(1) == here).mean() >= 0.98


def test_workers_take_the_gpu_by_themselves(tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text(
        f"""
[[models]]
name = "digits"
task = "image-classification"
backend = "transformers"
source = "{WEIGHTS / "digits"}"
"""
    )
    environment = {k: v for k, v in os.environ.items() if k == "CUDA_VISIBLE_DEVICES"}
    with (
        Stack(
            models=models, data_dir=tmp_path, flower=False, device="auto", env=environment
        ) as stack,
        Client(stack.url) as client,
    ):
        workers = httpx.get(f"{stack.url}/v2/queues").json()["workers"]
        assert [worker["device"] for worker in workers] == ["cuda:0"]
        assert [worker["warnings"] for worker in workers] == [[]]
        [digit] = digits(1)
        answer = client.infer("digits", ImageClassificationInput(images=[digit.data]))
    assert isinstance(answer, ImageClassificationOutput)
    assert answer.results[0][0].label == digit.truth
