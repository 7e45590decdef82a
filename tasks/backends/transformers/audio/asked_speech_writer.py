"""Language models that are asked to write down a sound: Qwen3-ASR, GLM-ASR."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from typing import Any

import torch

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import SpeechChunk
from ...sound.waveform import Samples
from ...sound.windows import Window
from .base import Tensors
from .speech_writer import SpeechWriter

log = logging.getLogger(__name__)


class AskedSpeechWriter(SpeechWriter):
    """A model whose processor makes a request of a sound: a prompt, with the sound in it."""

    def __init__(
        self, model: Any, processor: Any, *, rate: int, num_beams: int, max_new_tokens: int
    ) -> None:
        super().__init__(
            model,
            processor.tokenizer,
            rate=rate,
            extract=self._asked,
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
        )
        self._processor = processor
        asking = inspect.signature(processor.apply_transcription_request).parameters
        self._takes_language = "language" in asking
        #: Seconds beyond which the processor would cut a sound.
        self._longest_s: float = getattr(processor, "max_audio_len", None) or float("inf")
        reading = inspect.signature(processor.decode).parameters
        #: The text without what some write before it.
        self._read = {"return_format": "transcription_only"} if "return_format" in reading else {}

    def language(self, named: str | None) -> str | None:
        """As it is told, to a model that can be told; the processor knows which there are."""
        return named if self._takes_language else None

    def features(self, samples: Samples, language: str | None) -> Tensors:
        """The prompt's tokens, and the sound's features. Raises RowError."""
        if len(samples) > self._longest_s * self._rate:
            raise RowError(f"this model hears {self._longest_s} seconds at most")
        told = {"language": language} if language else {}
        return self._asked(samples, **told)

    def read(
        self,
        tokens: Sequence[torch.Tensor],
        windows: Sequence[Window],  # noqa: ARG002 # there is one
        *,
        timestamps: bool,  # noqa: ARG002 # refused before
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of a sound."""
        [written] = tokens
        return self._processor.decode(written, skip_special_tokens=True, **self._read), None

    def _asked(self, samples: Samples, **told: str) -> Tensors:
        try:
            return dict(self._processor.apply_transcription_request(audio=[samples], **told))
        except (KeyError, ValueError) as error:
            log.info("the processor refused a row: %s", error)
            raise RowError(
                f"the model's processor refuses a sound of {len(samples)} samples"
                + (f" in the language {told['language']!r}" if told else "")
            ) from None

    def _write(self, tensors: Tensors, language: str | None, limit: int | None) -> torch.Tensor:  # noqa: ARG002 # it is in the prompt
        prompt: int = tensors["input_ids"].shape[1]
        written = super()._write(tensors, None, limit)
        return written[:, prompt:]
