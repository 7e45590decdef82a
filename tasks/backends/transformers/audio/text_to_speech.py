from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .....protocol.errors import RowError
from ....audio.text_to_speech import TextToSpeechInput
from ....base import Task, TaskInput, TaskOutput
from ...base import ModelRefused
from ...device import Device
from ...rows import Decoded
from ...sound.waveform import Samples, wav
from ...sources import opened
from ..base import TransformersBackend
from .seeds import seeded
from .text_to_audio import PLAYERS
from .voices import SEAMLESS, SPEAKERS, VOICES, Seamless, SpeechT5, Voice


class TextToSpeech(TransformersBackend):
    """Speech of VITS, MMS, SpeechT5, Bark, SeamlessM4T, CSM, FastSpeech2.

    Row by row under one hold of the device: a row shall sound the same in any company. In a padded
    batch the noise would have the batch's shape, and the vocoder would hear the padding: the last
    90 samples of a tiny VITS moved by 0.7.

    SpeechT5 needs `vocoder`, a folder or hub id of a SpeechT5HifiGan, and `speakers`, a .npy file
    with an x-vector a speaker; SeamlessM4T needs `language`, what its texts are in, and takes
    `spoken`, what it says where that is another.
    """

    auto_class = "AutoModelForTextToWaveform"
    _voice: Voice

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        vocoder: str = "",
        speakers: str = "",
        language: str = "",
        spoken: str = "",
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._vocoder, self._speakers = vocoder, speakers
        self._language, self._spoken = language, spoken

    def load(self) -> None:
        """Load the model. Raises ModelRefused, before the weights are read, for another kind."""
        kind = self.read_config().model_type
        if kind not in SPEAKERS:
            hint = "; it plays: serve it as text-to-audio" if kind in PLAYERS else ""
            raise ModelRefused(
                f"{self.source}: a model of type {kind} does not do this task; it takes "
                f"{', '.join(sorted(SPEAKERS))}{hint}"
            )
        if kind == "speecht5":
            self.auto_class = "AutoModelForTextToSpectrogram"
        super().load()

    def load_processor(self) -> None:
        """Load the tokenizer, and what else the kind of model speaks with."""
        kind, source = self.model.config.model_type, str(self.source)
        if kind == "speecht5":
            vocoder = opened(self._vocoder) if self._vocoder else ""
            self._voice = SpeechT5(
                self.model, source, self._revision, vocoder=vocoder, speakers=self._speakers
            )
        elif kind in SEAMLESS:
            self._voice = Seamless(
                self.model,
                source,
                self._revision,
                language=self._language,
                spoken=self._spoken or self._language,
            )
        else:
            self._voice = VOICES[kind](self.model, source, self._revision)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Speak a row at a time: tokens (1, T) -> waveform (samples,)."""
        decoded = Decoded(batch, self._tokens)
        with self.forward():
            waves = [
                self._speak(row, tokens)
                for row, tokens in zip(decoded.inputs, decoded.rows, strict=True)
            ]
        rate = self._voice.rate
        return decoded.answers(
            [
                self.task.output.model_validate({"audio": [wav(w, rate)], "sample_rates": [rate]})
                for w in waves
            ]
        )

    def close(self) -> None:
        """Drop the model, and what speaks with it."""
        vars(self).pop("_voice", None)
        super().close()

    def _tokens(self, row: TaskInput) -> Mapping[str, Any]:
        assert isinstance(row, TextToSpeechInput)
        speakers = self._voice.speakers
        if row.speaker is not None and row.speaker >= speakers:
            raise RowError(f"speaker {row.speaker}: the model has {speakers}, from 0")
        if row.speed is not None and not self._voice.has_speed:
            raise RowError("speed: this model cannot be told how quickly to speak")
        if not row.texts[0].strip():
            raise RowError("the text has nothing to speak")
        tokens = self._voice.tokens(row.texts[0], row.speaker)
        if tokens["input_ids"].shape[1] == 0:
            raise RowError("the text has nothing to speak")
        return tokens

    def _speak(self, row: TaskInput, tokens: Mapping[str, Any]) -> Samples:
        assert isinstance(row, TextToSpeechInput)
        place = self.place
        with seeded(row.seed, place):
            moved = {name: tensor.to(place) for name, tensor in tokens.items()}
            made = self._voice.speak(moved, row.speaker, row.speed)
        wave: Samples = made.float().cpu().numpy()
        return wave
