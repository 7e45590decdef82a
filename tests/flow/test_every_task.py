"""Every task through the queue: its golden example, sent to a small real model, answered."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.vision.optical_character_recognition import (
    OpticalCharacterRecognitionInput,
    OpticalCharacterRecognitionOutput,
)

#: All models are built, and every family's worker loads them, before the first test.
pytestmark = pytest.mark.timeout(360)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of `wherry up --sample-models`: every family's worker runs."""
    folder = tmp_path_factory.mktemp("samples")
    models = write_samples(Path(__file__).parents[2] / ".wherry" / "samples")  # built once
    with (
        Stack(models=models, data_dir=folder, flower=False) as stack,
        Client(stack.url) as client,
    ):
        assert stack.fork_server is None or stack.fork_server.pid, "what it imported can be forked"
        yield client


@pytest.mark.parametrize("name", task_names())
def test_its_example_is_answered_row_by_row(samples: Client, name: str) -> None:
    task = get_task(name)
    inputs = task.example.input
    job = samples.submit(name, inputs)
    output = samples.result(job.id, timeout_s=60)
    assert isinstance(output, task.output)
    assert len(output.rows()) == inputs.row_count


def test_every_sample_model_is_ready(samples: Client) -> None:
    states = {model["name"]: model["state"] for model in samples.models()}
    assert states == dict.fromkeys(task_names(), "READY")


def test_trained_models_know_what_they_are_asked(samples: Client) -> None:
    for name in ("chat", "text-generation"):
        task = get_task(name)
        job = samples.submit(name, task.example.input)
        output = samples.result(job.id, timeout_s=60)
        assert isinstance(output, GenerationOutput)
        assert "Paris" in output.generations[0].text


def test_a_page_is_read(samples: Client) -> None:
    page = Image.new("RGB", (320, 96), "white")
    ImageDraw.Draw(page).text((20, 30), "CAST OFF", fill="black", font=ImageFont.load_default(36))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    given = OpticalCharacterRecognitionInput(images=[buffer.getvalue()])
    job = samples.submit("optical-character-recognition", given)
    output = samples.result(job.id, timeout_s=60)
    assert isinstance(output, OpticalCharacterRecognitionOutput)
    assert " ".join(line.text.strip() for line in output.lines[0]) == "CAST OFF"
