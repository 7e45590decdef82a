from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .....protocol.errors import RowError
from ....audio.text_to_audio import TextToAudioInput
from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...rows import Decoded
from ...sound.waveform import Samples, wav
from ..base import TransformersBackend
from ..tokenizer import load_tokenizer
from .seeds import seeded
from .voices import SPEAKERS

#: Types of models that play.
PLAYERS = ("musicgen", "musicgen_melody")

#: Frames where nothing is said, as transformers' pipeline makes them.
_FRAMES = 256


class TextToAudio(TransformersBackend):
    """Music of MusicGen and MusicGen Melody, by words alone.

    Row by row under one hold of the device: chance is a row's own, and what it draws is what the
    model's own `generate` draws after the same seed.
    """

    auto_class = "AutoModelForTextToWaveform"

    def load(self) -> None:
        """Load the model. Raises ModelRefused, before the weights are read, for another kind."""
        kind = self.read_config().model_type
        if kind not in PLAYERS:
            hint = "; it speaks: serve it as text-to-speech" if kind in SPEAKERS else ""
            raise ModelRefused(
                f"{self.source}: a model of type {kind} does not do this task; it takes "
                f"{', '.join(PLAYERS)}{hint}"
            )
        super().load()

    def load_processor(self) -> None:
        """Load the text encoder's tokenizer."""
        config = self.model.config
        self._tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=config.text_encoder
        )
        self._rate: int = config.audio_encoder.sampling_rate
        decoder = config.decoder
        #: Steps by which the last codebook of a channel lags behind the first.
        self._delay: int = decoder.num_codebooks // decoder.audio_channels - 1

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Play a row at a time: tokens (1, T) -> waveform (samples, channels)."""
        decoded = Decoded(batch, self._tokens)
        with self.forward():
            waves = [
                self._play(row, tokens)
                for row, tokens in zip(decoded.inputs, decoded.rows, strict=True)
            ]
        rate = self._rate
        return decoded.answers(
            [
                self.task.output.model_validate({"audio": [wav(w, rate)], "sample_rates": [rate]})
                for w in waves
            ]
        )

    def _tokens(self, row: TaskInput) -> Mapping[str, Any]:
        assert isinstance(row, TextToAudioInput)
        if not row.texts[0].strip():
            raise RowError("the text has nothing to play")
        return dict(self._tokenizer(row.texts[0], return_tensors="pt"))

    def _play(self, row: TaskInput, tokens: Mapping[str, Any]) -> Samples:
        assert isinstance(row, TextToAudioInput)
        with seeded(row.seed, self.place):
            made = self.model.generate(**self.to_device(tokens), **self._how(row))
        wave: Samples = made[0].T.float().cpu().numpy()
        if row.duration is not None:
            wave = wave[: round(row.duration * self._rate)]
        return wave

    def _how(self, row: TextToAudioInput) -> dict[str, Any]:
        """What is asked for; all else is the model's own generation config's."""
        frames = row.max_new_tokens or _FRAMES
        if row.duration is not None:
            own: int = self.model.config.audio_encoder.frame_rate
            frames = math.ceil(row.duration * own) + self._delay
        told = {name: getattr(row, name) for name in ("guidance_scale", "do_sample", "top_k")}
        if row.temperature == 0:
            told["do_sample"] = False
        elif row.temperature is not None:
            told["temperature"] = float(row.temperature)
        return {
            "max_new_tokens": frames,
            **{name: value for name, value in told.items() if value is not None},
        }
