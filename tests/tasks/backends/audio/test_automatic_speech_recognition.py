"""The backend against transformers' own pipeline, sound by sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.create import LocalTask, create_task

from ....support import sounds

WHISPER = "automatic-speech-recognition"
CTC = ("automatic-speech-recognition-ctc", "automatic-speech-recognition-ctc-masked")

TinyModel = Callable[[str], Path]

#: Of four lengths, the last one of several windows.
TONES = [*sounds.tones(), sounds.tone(9.1, 300)]
CHUNK_S = 4.0

#: The pipeline follows five readings, and says no task where it is told no language.
WORDS = {"num_beams": 1, "task": "transcribe"}


def created(folder: Path, **parameters: object) -> LocalTask:
    parameters = {"chunk_length_s": CHUNK_S, **parameters}
    return create_task("transformers", "automatic-speech-recognition", str(folder), parameters)


def recognise(
    task: LocalTask, tones: list[np.ndarray] = TONES, **parameters: Any
) -> AutomaticSpeechRecognitionOutput:
    output = task.process(
        AutomaticSpeechRecognitionInput(
            audio=[tone.tobytes() for tone in tones], sample_rate=16000, **parameters
        )
    )
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return output


def pipeline(folder: Path) -> Any:
    return hf.pipeline(
        "automatic-speech-recognition", model=str(folder), chunk_length_s=CHUNK_S, batch_size=1
    )


@pytest.mark.parametrize("name", CTC)
def test_letters_are_the_pipelines(name: str, tiny_model: TinyModel) -> None:
    folder = tiny_model(name)
    task, own = created(folder), pipeline(folder)
    together = recognise(task)
    assert together.texts == [own(tone)["text"] for tone in TONES]
    assert len(set(together.texts)) == len(TONES)
    assert together.chunks == [None] * len(TONES)


@pytest.mark.parametrize("name", CTC)
def test_words_and_their_times_are_the_pipelines(name: str, tiny_model: TinyModel) -> None:
    folder = tiny_model(name)
    task, own = created(folder), pipeline(folder)
    together = recognise(task, return_timestamps=True)
    for tone, text, chunks in zip(TONES, together.texts, together.chunks, strict=True):
        expected = own(tone, return_timestamps="word")
        assert chunks is not None
        assert text == expected["text"]
        assert [chunk.text for chunk in chunks] == [c["text"] for c in expected["chunks"]]
        times = [time for chunk in chunks for time in (chunk.start, chunk.end)]
        own_times = [time for chunk in expected["chunks"] for time in chunk["timestamp"]]
        assert times == pytest.approx(own_times, abs=1e-3)
        assert max(times) > 0.5 * len(tone) / sounds.RATE


@pytest.mark.parametrize("beams", [1, 2])
def test_whisper_writes_what_the_pipeline_writes(beams: int, tiny_model: TinyModel) -> None:
    folder = tiny_model(WHISPER)
    together = recognise(created(folder, num_beams=beams), language="en")
    own = pipeline(folder)
    words = {**WORDS, "num_beams": beams, "language": "en"}
    assert together.texts == [own(tone, generate_kwargs=words)["text"] for tone in TONES]
    assert len(set(together.texts)) > 3  # rows do differ
    assert together.chunks == [None] * len(TONES)


def test_whispers_times_are_the_pipelines(tiny_model: TinyModel) -> None:
    folder = tiny_model(WHISPER)
    together = recognise(created(folder), return_timestamps=True)
    own, untold, late = pipeline(folder), 0, 0
    for tone, text, chunks in zip(TONES, together.texts, together.chunks, strict=True):
        expected = own(tone, return_timestamps=True, generate_kwargs=WORDS)
        seconds = len(tone) / sounds.RATE
        assert chunks is not None
        assert text == expected["text"]
        assert [chunk.text for chunk in chunks] == [c["text"] for c in expected["chunks"]]
        for chunk, theirs in zip(chunks, expected["chunks"], strict=True):
            start, end = theirs["timestamp"]
            untold += end is None
            late += start is not None and start > seconds
            assert start is None or chunk.start == pytest.approx(min(start, seconds), abs=1e-3)
            assert end is None or chunk.end == pytest.approx(min(end, seconds), abs=1e-3)
            assert chunk.end >= chunk.start or end is not None
    assert untold  # the case of a sentence without end is among them
    assert late  # and of one that the pipeline hears after the sound


def test_one_generate_for_the_windows_of_all_rows(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = created(tiny_model(WHISPER))
    batches: list[int] = []
    model = task.backend.model  # type: ignore[attr-defined] # a TransformersBackend
    generate = model.generate

    def noted(**arguments: Any) -> object:
        batches.append(len(arguments["input_features"]))
        return generate(**arguments)

    monkeypatch.setattr(model, "generate", noted)
    recognise(task, language="en")
    # 9.1 seconds in windows of 4, each 2.67 after the one before.
    assert batches == [4 + 3]


def test_rows_of_one_batch_have_their_own_language(tiny_model: TinyModel) -> None:
    task = created(tiny_model(WHISPER))
    tone = TONES[2]
    languages = ["french", "EN", None, "fr", "klingon", "de"]
    rows = [
        AutomaticSpeechRecognitionInput(audio=[tone.tobytes()], sample_rate=16000, language=name)
        for name in languages
    ]
    answers = task.backend.run(rows)
    assert [type(answer) is RowError for answer in answers] == [*[False] * 4, True, True]
    assert "klingon" in str(answers[4])
    for row, answer in zip(rows[:4], answers, strict=False):
        assert [answer] == task.backend.run([row])
    french, english, *_ = answers
    assert french == answers[3]
    assert french != english


def test_a_model_of_english_only(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model(WHISPER), tmp_path / "en")
    config = folder / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "is_multilingual": False}))
    task = created(folder)
    rows = [
        AutomaticSpeechRecognitionInput(
            audio=[TONES[0].tobytes()], sample_rate=16000, language=name
        )
        for name in ("en", "fr", None)
    ]
    english, french, untold = task.backend.run(rows)
    assert isinstance(french, RowError)
    assert english == untold
    assert isinstance(english, AutomaticSpeechRecognitionOutput)


def test_forwards_are_bounded_and_answer_the_same(tiny_model: TinyModel) -> None:
    folder = tiny_model(CTC[0])
    together = recognise(created(folder))
    assert recognise(created(folder, max_forward_rows=1)) == together


def test_chunks_longer_than_whisper_hears(tiny_model: TinyModel) -> None:
    with pytest.raises(ValueError, match="hears 30 seconds"):
        created(tiny_model(WHISPER), chunk_length_s=31)


def test_with_times_come_the_sounds_length_and_language(tiny_model: TinyModel) -> None:
    with created(tiny_model(WHISPER)) as task:
        backend: Any = task.backend
        plain = recognise(task)
        assert (plain.durations, plain.languages) == ([None] * len(TONES),) * 2
        named = recognise(task, return_timestamps=True, language="French")
        found = recognise(task, return_timestamps=True)
        seconds = [len(tone) / 16000 for tone in TONES]
        assert named.durations == found.durations == pytest.approx(seconds)
        assert named.languages == ["french"] * len(TONES)
        names = {"<|en|>": "english", "<|fr|>": "french"}
        numbers = {
            number: name for name, number in backend.model.generation_config.lang_to_id.items()
        }
        for tone, language in zip(TONES, found.languages, strict=True):
            first = tone[: int(CHUNK_S * 16000)]
            features = backend.extractor(first, sampling_rate=16000, return_tensors="pt")
            [own] = backend.model.detect_language(features["input_features"])
            assert language == names[numbers[int(own)]]


def test_a_language_found_out_beforehand_changes_no_text(tiny_model: TinyModel) -> None:
    with created(tiny_model(WHISPER)) as task:
        backend: Any = task.backend
        found = recognise(task, return_timestamps=True)
        backend._recogniser.heard = lambda tensors, languages: list(languages)
        by_itself = recognise(task, return_timestamps=True)
    assert (found.texts, found.chunks) == (by_itself.texts, by_itself.chunks)


def test_a_model_of_letters_tells_the_length_alone(tiny_model: TinyModel) -> None:
    with created(tiny_model(CTC[0])) as task:
        heard = recognise(task, return_timestamps=True)
    assert heard.durations == pytest.approx([len(tone) / 16000 for tone in TONES])
    assert heard.languages == [None] * len(TONES)
