"""Transducers (Graves, 2012): Parakeet's RNN-T and TDT, a token or a step on at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

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
        # Row by row: transformers lets one that is at its end write on while others are not.
        written = [
            self._model.generate(
                **{name: tensor[row : row + 1] for name, tensor in tensors.items()}, **bound
            ).sequences[0]
            for row in range(len(next(iter(tensors.values()))))
        ]
        return pad_sequence(written, batch_first=True, padding_value=self._tokenizer.pad_token_id)
