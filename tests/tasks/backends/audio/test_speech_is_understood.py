"""Whisper tiny.en reads back what hibari's voice says: by its weights, and as exported graphs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export

from ....support.speech import RATE, Samples, Voice, word_error_rate

TASK = "automatic-speech-recognition"

SENTENCES = (
    "The weather is nice today, and the train arrives at half past nine.",
    "Please close the door.",
    "A small dog ran across the street and into the park.",
)
STORY = (
    *SENTENCES,
    "My brother plays the piano every evening after dinner.",
    "Nobody knew where the old key had been hidden.",
    "In winter the lake freezes and children skate on it.",
    "He wrote a long letter to his sister in Canada.",
)

#: A word in ten may be heard wrongly.
WORST = 0.1


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice()


@pytest.fixture(
    scope="module", params=["transformers", pytest.param("onnxruntime", marks=pytest.mark.slow)]
)
def task(
    request: pytest.FixtureRequest,
    packaged_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalTask]:
    folder = packaged_model("whisper-tiny.en")
    if request.param == "onnxruntime":
        graphs = tmp_path_factory.mktemp("whisper")
        assert export(str(folder), graphs, TASK) < 1e-3
        folder = graphs
    with create_task(request.param, TASK, str(folder), {"threads": 1}) as made:
        yield made


def heard(task: LocalTask, sounds: list[Samples], **fields: Any) -> Any:
    """What the task answers to sounds of one batch."""
    audio = [samples.tobytes() for samples in sounds]
    output = task.process(AutomaticSpeechRecognitionInput(audio=audio, sample_rate=RATE, **fields))
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return output


def test_sentences_of_a_batch_are_read_back_with_their_times(task: LocalTask, voice: Voice) -> None:
    sounds = [voice.say(text) for text in SENTENCES]
    output = heard(task, sounds, return_timestamps=True)
    for text, chunks, said, samples in zip(
        output.texts, output.chunks, SENTENCES, sounds, strict=True
    ):
        assert word_error_rate(text, said) <= WORST, text
        assert "".join(chunk.text for chunk in chunks) == text
        times = [time for chunk in chunks for time in (chunk.start, chunk.end)]
        assert times == sorted(times)
        seconds = len(samples) / RATE
        assert 0 <= times[0] < 0.5
        assert seconds - 1 < times[-1] <= seconds


def test_a_story_longer_than_a_window_comes_in_its_order(task: LocalTask, voice: Voice) -> None:
    samples, _ = voice.tell(STORY, pause_s=3.0)
    assert len(samples) / RATE > 40
    (text,) = heard(task, [samples]).texts
    assert word_error_rate(text, " ".join(STORY)) <= WORST, text


@pytest.mark.slow
def test_the_times_of_a_story_are_when_its_sentences_begin(task: LocalTask, voice: Voice) -> None:
    samples, starts = voice.tell(STORY, pause_s=3.0)
    output = heard(task, [samples], return_timestamps=True)
    assert word_error_rate(output.texts[0], " ".join(STORY)) <= WORST, output.texts
    (chunks,) = output.chunks
    assert len(chunks) > 2
    for before, after in itertools.pairwise(chunks):
        assert before.start < before.end <= after.start
    assert chunks[-1].end <= len(samples) / RATE
    for chunk in chunks:
        assert min(abs(chunk.start - start) for start in starts) < 1.5, chunk


@pytest.mark.slow  # the contract holds it of the tiny one
def test_what_is_no_sound_fails_alone(task: LocalTask, voice: Voice) -> None:
    first, last = (voice.say(text) for text in SENTENCES[1:])
    audio = [first.tobytes(), b"RIFF, but no sound", last.tobytes()]
    rows = AutomaticSpeechRecognitionInput(audio=audio, sample_rate=RATE).rows()
    answers = task.backend.run(rows)
    assert isinstance(answers[1], RowError)
    for answer, said in zip(answers[::2], SENTENCES[1:], strict=True):
        assert isinstance(answer, AutomaticSpeechRecognitionOutput)
        assert word_error_rate(answer.texts[0], said) <= WORST, answer


@pytest.mark.parametrize(
    ("heard_as", "rate"),
    [("Please, close the DOOR!", 0), ("close the door", 0.25), ("please lose the the door", 0.5)],
)
def test_the_measure_counts_words(heard_as: str, rate: float) -> None:
    assert word_error_rate(heard_as, SENTENCES[1]) == rate
