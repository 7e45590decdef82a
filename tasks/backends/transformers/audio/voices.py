"""Kinds of models that speak, each as its own page calls it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from .....protocol.errors import RowError
from ...base import ModelRefused
from ..tokenizer import load_processor, load_tokenizer
from ..whole import load_whole


class Voice(ABC):
    """A loaded model that speaks one text at a time; its tokenizer makes tokens of it, (1, T)."""

    #: Whether it can be told how quickly to speak.
    has_speed: ClassVar[bool] = False
    #: Samples a second.
    rate: int
    #: How many speakers a row may name, from 0.
    speakers: int = 1

    def __init__(self, model: Any, source: str, revision: str | None) -> None:
        self.model, self.source, self.revision = model, source, revision
        self.tokenizer: Any = self.load_tokenizer()

    def load_tokenizer(self) -> Any:
        """What makes tokens of texts."""
        return load_tokenizer(self.source, revision=self.revision, config=self.model.config)

    def tokens(self, text: str, speaker: int | None) -> Mapping[str, Any]:  # noqa: ARG002 # few tell it here
        """A text's tokens. Raises RowError."""
        return self.within(dict(self.tokenizer(text, return_tensors="pt")))

    @abstractmethod
    def speak(
        self, tokens: Mapping[str, torch.Tensor], speaker: int | None, speed: float | None
    ) -> torch.Tensor:
        """The waveform, (samples,)."""

    def within(self, tokens: dict[str, Any], limit: int | None = None) -> dict[str, Any]:
        """Tokens that are as many as the model reads. Raises RowError."""
        count = tokens["input_ids"].shape[1]
        if limit is not None and count > limit:
            raise RowError(f"the text has {count} tokens; this model speaks {limit} at most")
        return tokens


class Vits(Voice):
    """VITS and MMS."""

    has_speed = True

    def __init__(self, model: Any, source: str, revision: str | None) -> None:
        super().__init__(model, source, revision)
        self.rate, self.speakers = model.config.sampling_rate, model.config.num_speakers

    def speak(
        self, tokens: Mapping[str, torch.Tensor], speaker: int | None, speed: float | None
    ) -> torch.Tensor:
        """One forward. Letters that the vocabulary lacks are left out."""
        ids = tokens["input_ids"]
        made = self.model(input_ids=ids, speaker_id=speaker, speaking_rate=speed)
        wave: torch.Tensor = made.waveform[0]
        return wave


class FastSpeech2(Voice):
    """FastSpeech2 Conformer with its vocoder. Its tokenizer needs the package g2p_en."""

    def __init__(self, model: Any, source: str, revision: str | None) -> None:
        super().__init__(model, source, revision)
        # Its vocoder's class of configuration does not know the rate; ESPnet's models have this.
        self.rate = getattr(model.config.vocoder_config, "sampling_rate", 22_050)

    def speak(
        self,
        tokens: Mapping[str, torch.Tensor],
        speaker: int | None,  # noqa: ARG002 # it has one
        speed: float | None,  # noqa: ARG002 # refused before
    ) -> torch.Tensor:
        """One forward."""
        wave: torch.Tensor = self.model(tokens["input_ids"], return_dict=True)["waveform"]
        return wave.reshape(-1)


class SpeechT5(Voice):
    """SpeechT5: speakers are rows of a matrix of x-vectors, and a vocoder makes the sound."""

    def __init__(
        self, model: Any, source: str, revision: str | None, *, vocoder: str, speakers: str
    ) -> None:
        super().__init__(model, source, revision)
        if not vocoder or not speakers:
            raise ModelRefused(
                f"{source}: SpeechT5 needs the parameters vocoder, a folder of a SpeechT5HifiGan, "
                "and speakers, a .npy file of x-vectors, a row for each speaker"
            )
        made, _ = load_whole("SpeechT5HifiGan", vocoder)
        self._vocoder = made.eval().to(model.device, model.dtype)
        self._vectors = _vectors(speakers, model.config.speaker_embedding_dim)
        self.rate, self.speakers = self._vocoder.config.sampling_rate, len(self._vectors)

    def tokens(self, text: str, speaker: int | None) -> Mapping[str, Any]:  # noqa: ARG002 # told later
        """A text's tokens. Raises RowError."""
        made = dict(self.tokenizer(text, return_tensors="pt"))
        return self.within(made, self.model.config.max_text_positions)

    def speak(
        self,
        tokens: Mapping[str, torch.Tensor],
        speaker: int | None,
        speed: float | None,  # noqa: ARG002 # refused before
    ) -> torch.Tensor:
        """Frames until the model ends, then the vocoder."""
        vector = torch.from_numpy(self._vectors[speaker or 0][None])
        wave: torch.Tensor = self.model.generate(
            tokens["input_ids"],
            speaker_embeddings=vector.to(self.model.device, self.model.dtype),
            vocoder=self._vocoder,
        )
        return wave


class Bark(Voice):
    """Bark: speakers are the voice presets in its folder, in their order."""

    def __init__(self, model: Any, source: str, revision: str | None) -> None:
        super().__init__(model, source, revision)
        self._presets = list(self.tokenizer.available_voice_presets)
        self.rate, self.speakers = model.generation_config.sample_rate, len(self._presets)
        semantic = model.generation_config.semantic_config
        limit = "max_input_semantic_length"
        self._limit: int = (
            semantic[limit] if isinstance(semantic, dict) else semantic.__dict__[limit]
        )

    def load_tokenizer(self) -> Any:
        """Its processor, which knows the presets."""
        return load_processor(self.source, self.model.config, self.revision)

    def tokens(self, text: str, speaker: int | None) -> Mapping[str, Any]:
        """A text's tokens, and the preset. Raises RowError."""
        own = self.tokenizer.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        self.within(dict(own), self._limit)
        preset = None if speaker is None else self._presets[speaker]
        return dict(self.tokenizer(text, voice_preset=preset, max_length=self._limit))

    def speak(
        self,
        tokens: Mapping[str, torch.Tensor],
        speaker: int | None,  # noqa: ARG002 # it is among the tokens
        speed: float | None,  # noqa: ARG002 # refused before
    ) -> torch.Tensor:
        """Three models, one after the other."""
        wave: torch.Tensor = self.model.generate(**tokens)
        return wave.reshape(-1)


class Seamless(Voice):
    """SeamlessM4T, both versions: it speaks the text's language, or translates into another."""

    def __init__(
        self, model: Any, source: str, revision: str | None, *, language: str, spoken: str
    ) -> None:
        super().__init__(model, source, revision)
        known = getattr(model.generation_config, "vocoder_lang_code_to_id", None) or {}
        if not language or spoken not in known:
            raise ModelRefused(
                f"{source}: the parameter language says what the texts are in, and spoken what is "
                f"said, if that is another; this model speaks {', '.join(sorted(known))}"
            )
        self._language, self._spoken = language, spoken
        self._speaker = "spkr_id" if model.config.model_type == "seamless_m4t" else "speaker_id"
        self.rate, self.speakers = model.config.sampling_rate, model.config.vocoder_num_spkrs

    def tokens(self, text: str, speaker: int | None) -> Mapping[str, Any]:  # noqa: ARG002 # told later
        """A text's tokens, in its language. Raises RowError."""
        made = dict(self.tokenizer(text, src_lang=self._language, return_tensors="pt"))
        return self.within(made, self.model.config.max_position_embeddings)

    def speak(
        self,
        tokens: Mapping[str, torch.Tensor],
        speaker: int | None,
        speed: float | None,  # noqa: ARG002 # refused before
    ) -> torch.Tensor:
        """Text, units, sound."""
        told = {self._speaker: speaker or 0}
        waves, _ = self.model.generate(**tokens, tgt_lang=self._spoken, **told)
        wave: torch.Tensor = waves.reshape(-1)
        return wave


class Csm(Voice):
    """Sesame's conversational model: speakers are numbers before the text."""

    speakers = 10

    def __init__(self, model: Any, source: str, revision: str | None) -> None:
        super().__init__(model, source, revision)
        self.rate = model.config.codec_config.sampling_rate

    def load_tokenizer(self) -> Any:
        """Its processor."""
        return load_processor(self.source, self.model.config, self.revision)

    def tokens(self, text: str, speaker: int | None) -> Mapping[str, Any]:
        """A text's tokens behind the speaker's number."""
        return dict(
            self.tokenizer(f"[{speaker or 0}]{text}", add_special_tokens=True, return_tensors="pt")
        )

    def speak(
        self,
        tokens: Mapping[str, torch.Tensor],
        speaker: int | None,  # noqa: ARG002 # it is among the tokens
        speed: float | None,  # noqa: ARG002 # refused before
    ) -> torch.Tensor:
        """Frames of codes, and the sound that they stand for."""
        waves: list[torch.Tensor] = self.model.generate(**tokens, output_audio=True)
        return waves[0].reshape(-1)


#: Model type -> the voice of it that needs no parameters.
VOICES: dict[str, type[Voice]] = {
    "vits": Vits,
    "bark": Bark,
    "csm": Csm,
    "fastspeech2_conformer_with_hifigan": FastSpeech2,
}
SEAMLESS = frozenset({"seamless_m4t", "seamless_m4t_v2"})
#: Types of models that speak.
SPEAKERS = frozenset({*VOICES, *SEAMLESS, "speecht5"})


def _vectors(file: str, size: int) -> np.ndarray:
    try:
        found = np.atleast_2d(np.load(Path(file), allow_pickle=False)).astype(np.float32)
    except (OSError, ValueError) as error:
        raise ModelRefused(f"speakers: {file} is no .npy file of numbers: {error}") from error
    if found.ndim != 2 or found.shape[1] != size:
        raise ModelRefused(
            f"speakers: {file} holds {found.shape}; the model wants (speakers, {size})"
        )
    return found
