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

from wherry.protocol.errors import RowError
from wherry.tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
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


def test_a_row_sounds_the_same_in_any_company(folder: Path) -> None:
    task = created(folder)
    together = speak(task, TEXTS)
    for samples, text in zip(together, TEXTS, strict=True):
        (alone,) = speak(task, [text])
        assert samples.tolist() == alone.tolist()


def test_parameters_change_the_reading(folder: Path) -> None:
    task = created(folder)
    (plain,) = speak(task, TEXTS[2:])
    (other,) = speak(task, TEXTS[2:], seed=1)
    assert plain.tolist() != other.tolist()
    (first,), (second,) = (speak(task, TEXTS[2:], speaker=i) for i in (0, 1))
    assert first.tolist() != second.tolist()
    (slow,), (fast,) = (speak(task, TEXTS[2:], speed=s) for s in (0.25, 4))
    assert len(fast) < len(plain) < len(slow)


def test_the_noise_of_others_is_left_alone(folder: Path) -> None:
    task = created(folder)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    speak(task, TEXTS)
    assert torch.rand(3).tolist() == expected.tolist()


def test_a_bad_row_fails_alone(folder: Path) -> None:
    task = created(folder)
    rows = TextToSpeechInput(texts=[TEXTS[0], "", " ", TEXTS[1]]).rows()
    stranger = TextToSpeechInput(texts=[TEXTS[0]], speaker=2)
    first, empty, blank, second, nobody = task.backend.run([*rows, stranger])
    assert [type(row) for row in (empty, blank, nobody)] == [RowError] * 3
    assert "speaker 2" in str(nobody)
    assert [first, second] == task.backend.run(TextToSpeechInput(texts=TEXTS[:2]).rows())


def test_a_model_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    config = hf.FastSpeech2ConformerWithHifiGanConfig()
    config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="fastspeech2_conformer_with_hifigan"):
        created(tmp_path)


def test_the_example_warms_up(folder: Path) -> None:
    with created(folder) as task:
        (answer,) = task.backend.run([task.backend.example()])
    assert isinstance(answer, TextToSpeechOutput)
