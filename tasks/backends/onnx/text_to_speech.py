from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from hibari import SAMPLE_RATE, Hibari
from hibari.tts import MAX_PHONEMES
from hibari.voices import ASSETS, VOICES

from ....protocol.errors import RowError
from ...audio.text_to_speech import TextToSpeechInput
from ...base import Task, TaskInput, TaskOutput
from ..base import Backend
from ..device import Device
from ..facts import ModelFacts
from ..rows import Decoded
from ..sound.waveform import Samples, wav
from ..sources import opened_folder
from .files import graphs_of

#: Letters between blanks, at most; longer words are broken. Reading takes time with their cube: a
#: word of 4,000 letters would take minutes, many of 50 take seconds.
_LONGEST_WORD = 50
_TOO_LONG = re.compile(rf"\S{{{_LONGEST_WORD}}}(?=\S)")


class Speaking(Backend):
    """An English voice of the package hibari, 24 kHz: the one inside it, or another's file in the
    folder `source`, by the name that hibari gives it. Nothing is downloaded.

    `threads` bounds its graph's threads; 0 leaves the choice to it. It computes on the CPU whatever
    the device is: a core speaks a hundred times faster than one listens.
    """

    def __init__(self, task: Task, source: str | None, *, device: Device, threads: int = 0) -> None:
        super().__init__(task, source, device=device)
        self._voice, self._file = _voice(opened_folder(source or str(ASSETS), "a voice of hibari"))
        self._threads = threads
        self._speaker: Any = None  # a Hibari, which has no types, between load and close

    def load(self) -> None:
        """Open the graph, and the dictionary that spells words as phonemes."""
        self._speaker = Hibari(voice=self._voice, model=str(self._file), threads=self._threads)
        _ = self._speaker.g2p.oov  # would load when first asked for, by several threads at once

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Row by row and sentence by sentence, under one hold of the device: the graph's batch is
        fixed at one. ids (1, phonemes) -> spectra (1, 601, frames) -> 300 samples a frame.
        """
        decoded = Decoded(batch, self._sentences)
        with self.device.compute():
            waves = [
                self._speak(row, ids) for row, ids in zip(decoded.inputs, decoded.rows, strict=True)
            ]
        return decoded.answers(
            [
                self.task.output.model_validate(
                    {"audio": [wav(wave, SAMPLE_RATE)], "sample_rates": [SAMPLE_RATE]}
                )
                for wave in waves
            ]
        )

    def _sentences(self, row: TaskInput) -> list[list[int]]:
        """The ids of the phonemes that one run takes, for each run. Raises RowError."""
        assert isinstance(row, TextToSpeechInput)
        if row.speaker:
            raise RowError(f"speaker {row.speaker}: the model has 1, from 0")
        text = _TOO_LONG.sub(r"\g<0> ", row.texts[0])
        try:
            sentences: list[str] = self._speaker.phonemize(text)
        except Exception as error:
            # It stumbles over numbers of more than 33 digits, and over digits of rare scripts.
            raise RowError(f"the text cannot be read ({type(error).__name__})") from None
        known = self._speaker.vocab
        if not any(letter.isalpha() and letter in known for letter in "".join(sentences)):
            raise RowError("the text has nothing to speak, in English")
        # Hibari splits sentences at commas alone, and memory grows with the square of what is left.
        return [
            self._speaker.ids(part)
            for sentence in sentences
            for part in textwrap.wrap(sentence, MAX_PHONEMES, break_on_hyphens=False)
        ]

    def _speak(self, row: TaskInput, sentences: list[list[int]]) -> Samples:
        assert isinstance(row, TextToSpeechInput)
        noise = np.random.default_rng(row.seed)
        speed = 1.0 if row.speed is None else row.speed
        return np.concatenate([self._speaker.from_ids(ids, speed, noise) for ids in sentences])

    def facts(self) -> ModelFacts:
        """The package that it is of."""
        return ModelFacts(runtime=f"hibari {version('hibari-tts')}")

    def close(self) -> None:
        """Drop the graph and the dictionary."""
        self._speaker = None


def _voice(folder: Path) -> tuple[str, Path]:
    """The first of hibari's voices whose file is in the folder. Raises ValueError."""
    for name, told in VOICES.items():
        if (folder / told["file"]).exists():
            return name, folder / told["file"]
    files = ", ".join(told["file"] for told in VOICES.values())
    graphs = ", ".join(path.name for path in graphs_of(folder))
    holds = graphs and (
        f"; it holds {graphs}, and no config.json of a VITS model. Voices of Piper and Kokoro, "
        "which take phonemes, need a backend of their own: docs/adding-a-task.md"
    )
    raise ValueError(f"source {str(folder)!r}: expected a folder with one of {files}{holds}")
