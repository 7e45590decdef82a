from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .....protocol.errors import RowError
from ....audio.text_to_speech import TextToSpeechInput
from ....base import TaskInput, TaskOutput
from ...rows import Decoded
from ...sound.waveform import Samples, wav
from ..base import TransformersBackend
from ..tokenizer import load_tokenizer


class TextToSpeech(TransformersBackend):
    """Speech of an AutoModelForTextToWaveform that needs no generation: VITS, MMS.

    Row by row under one hold of the device: a row shall sound the same in any company. In a padded
    batch the noise would have the batch's shape, and the vocoder would hear the padding: the last
    90 samples of a tiny VITS moved by 0.7.
    """

    auto_class = "AutoModelForTextToWaveform"
    tokenizer: Any

    def load(self) -> None:
        """Load the model. Raises ValueError, before the weights are read, if it is no VITS."""
        config = self.read_config()
        if config.model_type != "vits":
            raise ValueError(f"text-to-speech needs a VITS model, not {config.model_type!r}")
        super().load()

    def load_processor(self) -> None:
        """Load the tokenizer."""
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward a row: input_ids (1, T) -> waveform (1, samples)."""
        decoded = Decoded(batch, self._tokens)
        with self.forward():
            waves = [
                self._speak(row, ids) for row, ids in zip(decoded.inputs, decoded.rows, strict=True)
            ]
        rate: int = self.model.config.sampling_rate
        return decoded.answers(
            [
                self.task.output.model_validate({"audio": [wav(w, rate)], "sample_rates": [rate]})
                for w in waves
            ]
        )

    def _tokens(self, row: TaskInput) -> torch.Tensor:
        assert isinstance(row, TextToSpeechInput)
        speakers = self.model.config.num_speakers
        if row.speaker is not None and row.speaker >= speakers:
            raise RowError(f"speaker {row.speaker}: the model has {speakers}, from 0")
        # Letters that the vocabulary lacks are left out.
        ids: torch.Tensor = self.tokenizer(row.texts[0], return_tensors="pt")["input_ids"]
        if not row.texts[0].strip() or ids.shape[1] == 0:
            raise RowError("the text has nothing to speak")
        return ids

    def _speak(self, row: TaskInput, ids: torch.Tensor) -> Samples:
        assert isinstance(row, TextToSpeechInput)
        device = self.place
        with torch.random.fork_rng([device] if device.startswith("cuda") else []):
            torch.manual_seed(row.seed)
            made = self.model(
                input_ids=ids.to(device), speaker_id=row.speaker, speaking_rate=row.speed
            )
        wave: Samples = made.waveform[0].float().cpu().numpy()
        return wave
