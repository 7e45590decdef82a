"""The backend against transformers' own pipeline, text by text."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
import transformers as hf
from numpy.typing import NDArray

from wherry.protocol.errors import RowError
from wherry.tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export

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


def test_a_graph_says_what_its_model_says(folder: Path, tmp_path: Path) -> None:
    still = shutil.copytree(folder, tmp_path / "still")
    config = json.loads((still / "config.json").read_text())
    silent = {**config, "noise_scale": 0.0, "noise_scale_duration": 0.0}
    (still / "config.json").write_text(json.dumps(silent))
    assert export(str(still), tmp_path / "graph", "text-to-speech") < 1e-3
    with create_task("onnxruntime", "text-to-speech", str(tmp_path / "graph")) as task:
        expected = speak(created(still), TEXTS)
        together = speak(task, TEXTS)
        for samples, own in zip(together, expected, strict=True):
            assert samples == pytest.approx(own, abs=2 * TOLERANCE)
        for field, said in (
            ({"speed": 2.0}, "speed 2.0: the graph"),
            ({"speaker": 1}, "speaker 1"),
        ):
            with pytest.raises(RowError, match=said):
                speak(task, ["ada"], **field)
    graph = onnx.load(tmp_path / "graph" / "model.onnx")
    graph.graph.output[0].name = "wave"
    for node in graph.graph.node:
        node.output[:] = ["wave" if name == "waveform" else name for name in node.output]
    onnx.save(graph, tmp_path / "graph" / "model.onnx")
    with pytest.raises(ModelRefused, match="expected input_ids -> waveform, got .* -> wave"):
        create_task("onnxruntime", "text-to-speech", str(tmp_path / "graph"))


@pytest.mark.slow
def test_a_graph_that_draws_its_noise_says_so(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    export(str(folder), tmp_path, "text-to-speech")
    with create_task("onnxruntime", "text-to-speech", str(tmp_path)) as task:
        assert "a seed repeats nothing" in caplog.text
        assert [len(samples) > 100 for samples in speak(task, TEXTS)] == [True] * 3


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
