"""The backend against transformers' own pipeline, text by text."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers as hf
from numpy.typing import NDArray

from wherry.tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task

#: Half a step of 16 bits, and a little.
TOLERANCE = 1 / 32768
TEXTS = ["hello world", "ada", "the quick brown fox jumps over the lazy dog"]


@pytest.fixture
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("text-to-speech")


def created(folder: Path) -> LocalTask:
    return create_task("transformers", "text-to-speech", str(folder))


def heard(file: bytes) -> NDArray[np.float32]:
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    assert rate == 16000
    found: NDArray[np.float32] = samples
    return found


def speak(task: LocalTask, texts: list[str], **parameters: Any) -> list[NDArray[np.float32]]:
    output = task.process(TextToSpeechInput(texts=texts, **parameters))
    assert isinstance(output, TextToSpeechOutput)
    assert output.sample_rates == [16000] * len(texts)
    return [heard(file) for file in output.audio]


@pytest.mark.parametrize("seed", [0, 7])
def test_batch_equals_the_pipelines_single_answers(folder: Path, seed: int) -> None:
    own = hf.pipeline("text-to-speech", model=str(folder))
    for samples, text in zip(speak(created(folder), TEXTS, seed=seed), TEXTS, strict=True):
        torch.manual_seed(seed)
        expected = own(text)
        assert expected["sampling_rate"] == 16000
        assert samples == pytest.approx(expected["audio"], abs=TOLERANCE)
        assert len(samples) > 100


def test_the_noise_of_others_is_left_alone(folder: Path) -> None:
    task = created(folder)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    speak(task, TEXTS)
    assert torch.rand(3).tolist() == expected.tolist()


def test_a_model_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    config = hf.BertConfig()
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelRefused, match="type bert does not do this task"):
        created(tmp_path)
