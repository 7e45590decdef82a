"""Connectionist temporal classification (Graves et al., 2006): a token per moment, or a blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...audio.automatic_speech_recognition import SpeechChunk
from ..windows import Window
from .audio import Tensors


class Ctc:
    """A model that hears letters. `outputs` tells how many it answers to so many samples."""

    def __init__(
        self, model: Any, tokenizer: Any, *, rate: int, outputs: Callable[[int], int]
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._rate, self._outputs = rate, outputs
        #: Samples that one token stands for.
        self.align_to: int = getattr(model.config, "inputs_to_logits_ratio", 1)

    def language(self, named: str | None) -> str | None:  # noqa: ARG002 # it knows but one
        """No language: the model has its own."""
        return None

    def heard(
        self,
        tensors: Tensors,  # noqa: ARG002 # nothing in them says it
        languages: Sequence[str | None],
    ) -> list[str | None]:
        """No language, likewise."""
        return list(languages)

    def language_name(self, language: str | None) -> str | None:
        """None."""
        return language

    def tokens(
        self,
        tensors: Tensors,
        languages: Sequence[str | None],  # noqa: ARG002 # CTC models know one
        *,
        timestamps: bool,  # noqa: ARG002 # each token has its moment
    ) -> list[torch.Tensor]:
        """The likeliest token of each moment, (T,) a row. input_values: (B, samples)."""
        return list(self._model(**tensors).logits.argmax(dim=-1).cpu())

    def read(
        self, tokens: Sequence[torch.Tensor], windows: Sequence[Window], *, timestamps: bool
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of windows that follow each other, and its words with their times."""
        row = torch.cat([self._own(*pair) for pair in zip(tokens, windows, strict=True)])
        if not timestamps:
            return self._tokenizer.decode(row), None
        found = self._tokenizer.decode(row, output_word_offsets=True)
        seconds = self.align_to / self._rate
        words = [
            SpeechChunk(
                text=word["word"],
                start=word["start_offset"] * seconds,
                end=word["end_offset"] * seconds,
            )
            for word in found["word_offsets"]
        ]
        return found["text"], words

    def _own(self, tokens: torch.Tensor, window: Window) -> torch.Tensor:
        """The tokens of a window without its context, and without padding."""
        whole = round(window.length / self.align_to)
        left, right = (round(n / window.length * whole) for n in (window.left, window.right))
        return tokens[left : min(whole - right, self._outputs(window.length))]
