"""Connectionist temporal classification (Graves et al., 2006): a token per moment, or a blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import SpeechChunk
from ...sound.waveform import Samples
from ...sound.windows import Window
from .base import Tensors

#: What models call the rule by which their convolutions shorten a sound.
_RULES = ("_get_feat_extract_output_lengths", "_get_subsampling_output_length")

#: Seconds of silence by which it is measured how many samples a token stands for.
_MEASURED_S = (2, 10)


class Ctc:
    """A model that hears letters. `extract` makes of samples what the model is given."""

    hears_whole = False
    tells_times = True

    def __init__(
        self, model: Any, tokenizer: Any, *, rate: int, extract: Callable[[Samples], Tensors]
    ) -> None:
        self._model, self._tokenizer, self._rate = model, tokenizer, rate
        self._extract = extract
        #: Samples that one token stands for.
        self.align_to: int = self._measured(extract)

    def _measured(self, extract: Callable[[Samples], Tensors]) -> int:
        """From the model's own word: configurations tell it in three ways, or not at all."""
        fewer, more = (
            int(self.lengths(extract(np.zeros(seconds * self._rate, np.float32)))[0])
            for seconds in _MEASURED_S
        )
        seconds = _MEASURED_S[1] - _MEASURED_S[0]
        return round(seconds * self._rate / (more - fewer))

    def lengths(self, tensors: Tensors) -> torch.Tensor:
        """How many tokens each row of a batch has by the model's own word, (B,)."""
        values = tensors[self._model.main_input_name]
        mask = tensors.get("attention_mask")
        given = torch.full((len(values),), values.shape[1]) if mask is None else mask.sum(-1).cpu()
        for name in _RULES:
            rule = getattr(self._model, name, None)
            if rule is not None:
                return torch.as_tensor(rule(given)).long()
        return given

    def features(self, samples: Samples, language: str | None) -> Tensors:  # noqa: ARG002 # it knows but one
        """What the model is given of a window. Raises RowError for one too short for a token."""
        made = self._extract(samples)
        if int(self.lengths(made)[0]) < 1:  # LASR's convolutions, whose kernels are not padded
            raise RowError(f"a sound of {len(samples)} samples at {self._rate}/s is too short")
        return made

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
        windows: Sequence[Window],  # noqa: ARG002 # its tokens are as many as its moments
        languages: Sequence[str | None],  # noqa: ARG002 # CTC models know one
        *,
        timestamps: bool,  # noqa: ARG002 # each token has its moment
    ) -> list[torch.Tensor]:
        """The likeliest token of each of a row's own moments, (T,) a row."""
        tokens = self._model(**tensors).logits.argmax(dim=-1).cpu()  # (B, T)
        return [row[:count] for row, count in zip(tokens, self.lengths(tensors), strict=True)]

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
        """The tokens of a window without its context."""
        whole = round(window.length / self.align_to)
        left, right = (round(n / window.length * whole) for n in (window.left, window.right))
        return tokens[left : whole - right if right else len(tokens)]
