"""Transducers (Graves, 2012): Parakeet's RNN-T and TDT, a token or a step on at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ....audio.automatic_speech_recognition import SpeechChunk
from ...sound.windows import Window
from .base import Tensors
from .speech_writer import SpeechWriter


class Transducer(SpeechWriter):
    """A model whose steps end with the sound; `max_new_tokens` bounds them too."""

    def read(
        self,
        tokens: Sequence[torch.Tensor],
        windows: Sequence[Window],  # noqa: ARG002 # there is one
        *,
        timestamps: bool,  # noqa: ARG002 # refused before
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of a sound: its tokenizer would take a repeated token for one, as in CTC."""
        [written] = tokens
        text = self._tokenizer.decode(written, skip_special_tokens=True, group_tokens=False)
        return text, None

    def _write(self, tensors: Tensors, language: str | None, limit: int | None) -> torch.Tensor:  # noqa: ARG002 # it knows but one
        bound = {"max_new_tokens": self._most} if self._most else {}
        written: torch.Tensor = self._model.generate(**tensors, **bound).sequences
        return written
