"""openWakeWord's own trained graphs, heard here as its own program hears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from wherry.tasks.create import create_task

from ..support.speech import RATE, Voice
from .conftest import Environment

# SciPy and scikit-learn come along: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

#: The last version whose wheel holds its graphs.
PACKAGES = ("--no-deps openwakeword==0.4.0", "scikit-learn", "scipy", "tqdm")

#: A sentence and the words that are in it.
SAID = {
    "Hey Jarvis, what is the weather?": {"hey_jarvis_v0.1", "weather_v0.1"},
    "Alexa, set a timer for ten minutes.": {"alexa_v0.1", "10_minute_timer"},
    "Good morning.": set(),
}


def test_words_are_heard_as_openwakeword_hears_them(
    environment: Environment, drive: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    voice, files = Voice(), [tmp_path / f"{number}.wav" for number in range(len(SAID))]
    for file, text in zip(files, SAID, strict=True):
        samples = soxr.resample(voice.say(text), RATE, 16_000)
        soundfile.write(file, samples.astype(np.float32), 16_000, subtype="PCM_16")
    python = environment("openwakeword", *PACKAGES, same=("onnxruntime", "numpy"))
    folder, *told = drive(python, "openwakeword_client.py", *files)
    with create_task("onnxruntime", "audio-classification", folder["folder"]) as task:
        sounds = [file.read_bytes() for file in files]
        output: Any = task.process(task.task.input.validated({"audio": sounds, "top_k": 20}))
    for row, own, spoken in zip(output.results, told, SAID.values(), strict=True):
        found = {one.label: one.score for one in row}
        assert found == pytest.approx(own, abs=1e-3)
        assert {label for label, score in found.items() if score > 0.5} == spoken
