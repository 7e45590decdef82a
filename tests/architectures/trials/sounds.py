"""Tasks of models that listen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...support import sounds
from .base import Row, Trial
from .text import Piped

_TONES = sounds.tones()
_ROWS = tuple({"audio": [sounds.file(tone)]} for tone in _TONES)
_RAW = {row["audio"][0]: tone for row, tone in zip(_ROWS, _TONES, strict=True)}


def _samples(row: Row) -> Any:
    """A row's sound, as pipelines take it."""
    return {"raw": _RAW[row["audio"][0]], "sampling_rate": sounds.RATE}


class AudioClassification(Piped):
    pipeline = "audio-classification"
    rows = _ROWS

    def call(self, row: Row) -> Any:
        found = self.pipe(_samples(row), top_k=5)
        return {one["label"]: one["score"] for one in found}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class ZeroShotAudioClassification(Piped):
    pipeline = "zero-shot-audio-classification"
    rows = tuple(
        {**row, "candidate_labels": ["a dog", "the red car", *more]}
        for row, more in zip(_ROWS, ([], ["london"], [], ["a cat", "fox"]), strict=False)
    )

    def call(self, row: Row) -> Any:
        samples = _RAW[row["audio"][0]]
        found = self.pipe(samples, candidate_labels=row["candidate_labels"])
        return {one["label"]: one["score"] for one in found}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


#: Kinds that write what they hear, one beam wide as their pages have it; the pipeline takes five.
_WRITERS = ("moonshine", "seamless_m4t", "seamless_m4t_v2", "speech_to_text", "speecht5")


class Recognition(Piped):
    pipeline = "automatic-speech-recognition"
    rows = _ROWS

    def open(self) -> None:
        super().open()
        self.told: dict[str, Any] = {}
        if self.pipe.model.config.model_type == "whisper":  # as its page has it
            # A pipeline of itself searches with five beams; the page's `generate` does not.
            told = {"task": "transcribe", "language": "english", "num_beams": 1}
            self.told = {"generate_kwargs": {**told, "max_new_tokens": 12}}

    def common(self) -> Mapping[str, Any]:
        return {"language": "en"} if self.told else {}

    def call(self, row: Row) -> Any:
        told = self.told
        if self.pipe.model.config.model_type in _WRITERS:
            seconds = len(_RAW[row["audio"][0]]) / sounds.RATE
            most = 64 + 13 * math.ceil(seconds)  # no page of theirs bounds it; docs/tasks does
            told = {"generate_kwargs": {"num_beams": 1, "max_new_tokens": most}}
        return self.pipe(_samples(row), **told)["text"]

    def view(self, answer: Any) -> Any:
        return answer["texts"][0]


TRIALS: dict[str, type[Trial]] = {
    "audio-classification": AudioClassification,
    "automatic-speech-recognition": Recognition,
    "zero-shot-audio-classification": ZeroShotAudioClassification,
}
