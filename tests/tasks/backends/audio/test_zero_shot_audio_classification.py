"""CLAP against transformers' pipeline, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import pipeline

from wherry.tasks.audio.zero_shot_audio_classification import (
    ZeroShotAudioClassificationInput,
    ZeroShotAudioClassificationOutput,
)
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task

from ....support import sounds

Models = Callable[[str], Path]

NAME = "zero-shot-audio-classification"
TOLERANCE = 1e-4

#: Half of it is louder: which parts are heard tells.
NOISE = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
NOISE[20_000:] *= 40

#: Rows of one batch, each with labels of its own: two sounds are longer than the model hears.
ROWS = (
    (sounds.tone(0.5, 440), ["a cat", "the red car"]),
    (sounds.tone(1, 880), ["london", "a cat", "hello world"]),
    (sounds.tone(1.7, 200), ["london"]),
    (NOISE, ["a cat", "the red car"]),
)


def rows(**fields: Any) -> list[ZeroShotAudioClassificationInput]:
    return [
        ZeroShotAudioClassificationInput(
            audio=[sound.tobytes()], sample_rate=sounds.RATE, candidate_labels=labels, **fields
        )
        for sound, labels in ROWS
    ]


def ranked(answer: object) -> list[tuple[str, float]]:
    assert isinstance(answer, ZeroShotAudioClassificationOutput)
    return [(found.label, found.score) for found in answer.results[0]]


@pytest.mark.parametrize("name", [NAME, f"{NAME}-fused"])
@pytest.mark.parametrize("fields", [{}, {"hypothesis_template": "hello {} and {}"}])
def test_rows_with_labels_of_their_own_get_the_pipelines_answers(
    name: str, fields: dict[str, Any], tiny_model: Models
) -> None:
    folder = str(tiny_model(name))
    task = create_task("transformers", NAME, folder)
    reference: Any = pipeline(NAME, model=folder)
    answers = [ranked(answer) for answer in task.backend.run(rows(**fields))]
    template = fields.get("hypothesis_template", "This is a sound of {}.").replace("{}", "{0}")
    for answer, (sound, labels) in zip(answers, ROWS, strict=True):
        np.random.seed(0)  # what it hears of a long sound is drawn from numpy's state
        own = reference(sound, candidate_labels=labels, hypothesis_template=template)
        assert [label for label, _ in answer] == [found["label"] for found in own]
        scores = [found["score"] for found in own]
        assert [score for _, score in answer] == pytest.approx(scores, abs=TOLERANCE)
    assert abs(dict(answers[0])["a cat"] - dict(answers[3])["a cat"]) > 10 * TOLERANCE


@pytest.mark.parametrize("name", [NAME, f"{NAME}-fused"])
def test_a_long_sound_is_heard_alike_each_time_and_nobodys_draws_change(
    name: str, tiny_model: Models
) -> None:
    task = create_task("transformers", NAME, str(tiny_model(name)))
    row = rows()[3]
    np.random.seed(7)  # the state that others draw from
    drawn = np.random.random()  # likewise
    np.random.seed(7)  # likewise
    first, second = (ranked(task.backend.run([row])[0]) for _ in range(2))
    assert first == second
    assert np.random.random() == drawn  # likewise


def test_a_model_without_texts_is_refused(tiny_model: Models) -> None:
    with pytest.raises(ModelRefused, match="a wav2vec2 does not hold sounds against texts"):
        create_task("transformers", NAME, str(tiny_model("audio-classification-masked")))
