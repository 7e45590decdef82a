"""The backend against transformers' own pipeline, sound by sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.tasks.audio.audio_classification import (
    AudioClassificationInput,
    AudioClassificationOutput,
)
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export

from ....support import sounds

TOLERANCE = 1e-4
MODELS = ("audio-classification", "audio-classification-masked")

TinyModel = Callable[[str], Path]
Labels = dict[str, float]


def created(folder: Path, **parameters: object) -> LocalTask:
    return create_task("transformers", "audio-classification", str(folder), parameters)


def classify(task: LocalTask, audio: list[bytes], sample_rate: int | None = 16000) -> list[Labels]:
    output = task.process(AudioClassificationInput(audio=audio, sample_rate=sample_rate))
    assert isinstance(output, AudioClassificationOutput)
    return [{result.label: result.score for result in row} for row in output.results]


def own_scores(folder: Path, samples: np.ndarray) -> Labels:
    found = hf.pipeline("audio-classification", model=str(folder))(samples)
    return {item["label"]: item["score"] for item in found}


def counted(task: LocalTask, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The shapes of the forwards to come."""
    shapes: list[tuple[int, int]] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def noted(input_values: torch.Tensor, **more: object) -> object:
        shapes.append((input_values.shape[0], input_values.shape[1]))
        return forward(input_values=input_values, **more)

    monkeypatch.setattr(model, "forward", noted)
    return shapes


@pytest.mark.parametrize("name", MODELS)
def test_batch_equals_the_pipelines_single_answers(name: str, tiny_model: TinyModel) -> None:
    folder = tiny_model(name)
    together = classify(created(folder), [s.tobytes() for s in sounds.tones()])
    for answer, samples in zip(together, sounds.tones(), strict=True):
        assert answer == pytest.approx(own_scores(folder, samples), abs=TOLERANCE)
    assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)  # rows do differ
    assert together[0] != pytest.approx(together[3], abs=10 * TOLERANCE)


def test_a_graph_sees_a_sound_as_transformers_extractor_does(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = tiny_model("audio-classification-ast")
    export(str(folder), tmp_path, "audio-classification")
    with create_task("onnxruntime", "audio-classification", str(tmp_path)) as task:
        together = classify(task, [s.tobytes() for s in sounds.tones()])
    for answer, samples in zip(together, sounds.tones(), strict=True):
        assert answer == pytest.approx(own_scores(folder, samples), abs=TOLERANCE)
    assert together[0] != pytest.approx(together[1], abs=10 * TOLERANCE)
    assert together[0] != pytest.approx(together[3], abs=10 * TOLERANCE)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ModelRefused, match="holds no preprocessor_config.json"):
        create_task("onnxruntime", "audio-classification", str(tmp_path))


def test_one_forward_where_a_mask_hides_the_padding(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = created(tiny_model("audio-classification-masked"))
    shapes = counted(task, monkeypatch)
    classify(task, [s.tobytes() for s in sounds.tones()])
    assert shapes == [(4, 40000)]


def test_one_forward_a_length_where_padding_would_tell(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = created(tiny_model("audio-classification"))
    shapes = counted(task, monkeypatch)
    classify(task, [s.tobytes() for s in sounds.tones()])
    assert shapes == [(2, 16000), (1, 4800), (1, 40000)]


def test_a_mask_alone_is_not_believed(tiny_model: TinyModel, tmp_path: Path) -> None:
    # Many models say that they take a mask, and were trained with a norm over all of the sound.
    folder = shutil.copytree(tiny_model("audio-classification"), tmp_path / "claims")
    config = folder / "preprocessor_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "return_attention_mask": True}))
    together = classify(created(folder), [s.tobytes() for s in sounds.tones()])
    for answer, samples in zip(together, sounds.tones(), strict=True):
        assert answer == pytest.approx(own_scores(folder, samples), abs=TOLERANCE)


def test_forwards_are_bounded(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    task = created(tiny_model("audio-classification-masked"), max_forward_rows=3)
    shapes = counted(task, monkeypatch)
    classify(task, [s.tobytes() for s in sounds.tones()])
    assert [rows for rows, _ in shapes] == [3, 1]


def test_files_and_other_rates(tiny_model: TinyModel) -> None:
    folder = tiny_model("audio-classification")
    fast = sounds.tone(0.5, 440, 44100)
    slow = soxr.resample(fast, 44100, 16000)
    task = created(folder)
    (raw,) = classify(task, [fast.tobytes()], 44100)
    (file,) = classify(task, [sounds.file(fast, 44100)], None)
    assert raw == pytest.approx(own_scores(folder, slow), abs=1e-3)
    assert file == pytest.approx(raw, abs=TOLERANCE)


def test_max_seconds_is_a_parameter(tiny_model: TinyModel) -> None:
    task = created(tiny_model("audio-classification"), max_seconds=2)
    audio = [s.tobytes() for s in sounds.tones()[1:3]]
    short, long = task.backend.run(AudioClassificationInput(audio=audio, sample_rate=16000).rows())
    assert isinstance(short, AudioClassificationOutput)
    assert isinstance(long, RowError)


def test_models_of_fixed_windows_take_all_lengths_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2}
    config = hf.WhisperConfig(**small, encoder_ffn_dim=16, num_labels=3, classifier_proj_size=8)
    hf.WhisperForAudioClassification(config).save_pretrained(tmp_path)
    hf.WhisperFeatureExtractor().save_pretrained(tmp_path)
    task = created(tmp_path)
    batches: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    forward = model.forward

    def noted(input_features: torch.Tensor, **more: object) -> object:
        batches.append(len(input_features))
        return forward(input_features=input_features, **more)

    monkeypatch.setattr(model, "forward", noted)
    together = classify(task, [s.tobytes() for s in sounds.tones()[:2]])
    assert batches == [2]
    for answer, samples in zip(together, sounds.tones(), strict=False):
        assert answer == pytest.approx(own_scores(tmp_path, samples), abs=TOLERANCE)
