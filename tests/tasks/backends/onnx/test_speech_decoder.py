"""Whisper's decoder with its past, and without: the same words, fewer tokens read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task

from ....support import sounds

TASK = "automatic-speech-recognition"
WITH_PAST = "decoder_with_past_model.onnx"


@pytest.fixture(scope="module")
def whole(tiny_graph: Callable[[str, str], Path]) -> Path:
    return tiny_graph(TASK, TASK)


@pytest.fixture
def forgetful(whole: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(whole, tmp_path / "forgetful")
    (folder / WITH_PAST).unlink()
    return folder


@pytest.mark.parametrize("timed", [False, True])
def test_the_same_is_said_with_and_without_past(timed: bool, whole: Path, forgetful: Path) -> None:
    with_past, read_once = answer(whole, timed=timed)
    without, read_again = answer(forgetful, timed=timed)
    assert with_past == without
    assert len(set(with_past.texts)) > 3
    # With its past it reads prompts alone, else all of them again with each token more.
    assert len(set(read_once)) == 1
    assert len(set(read_again)) > 5


def answer(folder: Path, *, timed: bool) -> tuple[AutomaticSpeechRecognitionOutput, list[int]]:
    """What is said, and how many tokens a row decoder_model.onnx reads in each run."""
    task = create_task("onnxruntime", TASK, str(folder))
    lengths = tokens_read(task)
    tones = [tone.tobytes() for tone in (*sounds.tones(), sounds.tone(9.1, 300))]
    output = task.process(
        AutomaticSpeechRecognitionInput(
            audio=tones, sample_rate=sounds.RATE, language="en", return_timestamps=timed
        )
    )
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return output, lengths


def tokens_read(task: LocalTask) -> list[int]:
    lengths: list[int] = []
    graph = task.backend.adapter.decoder._decoder._first  # type: ignore[attr-defined] # of a DialectBackend
    run_rows = graph.run_rows

    def noted(arrays: Any, **shared: Any) -> Any:
        lengths.append(arrays["input_ids"].shape[1])
        return run_rows(arrays, **shared)

    graph.run_rows = noted
    return lengths


def test_rows_that_have_ended_leave_the_others_their_own_past(whole: Path) -> None:
    task = create_task("onnxruntime", TASK, str(whole))
    decoder = task.backend.adapter.decoder  # type: ignore[attr-defined] # of a DialectBackend
    hidden = np.random.default_rng(0).normal(size=(3, 1500, 16)).astype(np.float32)
    prompts = [decoder._rules.prompt(None, timed=False)] * 3
    undisturbed = decoder.speak(hidden, prompts, timed=False)
    assert len(set(map(tuple, undisturbed))) == 3
    rows: list[int] = []
    later = decoder._decoder._later
    run_rows = later.run_rows

    def ending(arrays: Any, **shared: Any) -> Any:
        """Each third time the first of the rows has ended."""
        out = run_rows(arrays, **shared)
        rows.append(len(arrays["input_ids"]))
        if len(rows) % 3 == 0:
            out["logits"][0, -1, decoder._rules.end] = 1e6
        return out

    later.run_rows = ending
    said = decoder.speak(hidden, prompts, timed=False)
    assert rows == [3, 3, 3, 2, 2, 2, 1, 1, 1]
    assert said == [undisturbed[0][:3], undisturbed[1][:6], undisturbed[2][:9]]


def test_decoders_that_do_not_fit_are_told(whole: Path, forgetful: Path) -> None:
    shutil.copy(whole / WITH_PAST, forgetful)
    decoder = onnx.load(forgetful / "decoder_model.onnx")
    kept = [node for node in decoder.graph.output if node.name != "present.0.encoder.key"]
    del decoder.graph.output[:]
    decoder.graph.output.extend(kept)
    onnx.save(decoder, forgetful / "decoder_model.onnx")
    with pytest.raises(ModelRefused, match=r"takes past_key_values\.0\.encoder\.key"):
        create_task("onnxruntime", TASK, str(forgetful))
    shutil.copy(whole / WITH_PAST, forgetful / "decoder_model.onnx")
    with pytest.raises(ModelRefused, match="expected encoder_hidden_states, input_ids -> logits"):
        create_task("onnxruntime", TASK, str(forgetful))
