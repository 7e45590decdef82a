"""Models that write the text of a sound that they hear whole: Moonshine, Speech2Text, SpeechT5,
SeamlessM4T, Kyutai's and their kin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import SpeechChunk
from ...rows import alike
from ...sound.waveform import Samples
from ...sound.windows import Window
from .base import Tensors

#: Tokens that a sound's text may have, and more for each second, so that a model which stammers
#: ends: twice what Moonshine's authors allow, and all of Kyutai's frames.
_TOKENS, _TOKENS_PER_S = 64, 13

#: Where models and tokenizers keep the tokens that begin a text in a language.
_LANGUAGES = ("text_decoder_lang_to_code_id", "lang_code_to_id")


class SpeechWriter:
    """A model that hears a sound whole. `extract` makes of samples what the model is given.

    `max_new_tokens` is 0 for what the model's generation config says, or the sound's length.
    """

    align_to = 1
    hears_whole = True
    tells_times = False

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        rate: int,
        extract: Callable[[Samples], Tensors],
        num_beams: int,
        max_new_tokens: int,
    ) -> None:
        self._model, self._tokenizer, self._rate = model, tokenizer, rate
        self._extract, self._num_beams, self._most = extract, num_beams, max_new_tokens
        self._seamless = model.config.model_type.startswith("seamless")
        #: What the model calls its languages, and their tokens.
        self._languages: dict[str, int] = {}
        for holder in (model.generation_config, tokenizer):
            for name in _LANGUAGES:
                self._languages.update(getattr(holder, name, None) or {})

    def language(self, named: str | None) -> str | None:
        """What the model calls a language; None where it writes but one.

        Raises RowError for one that it does not know, or for none where it must be told.
        """
        if named in self._languages:
            return named
        known = ", ".join(sorted(self._languages))
        if known and named is not None:
            raise RowError(f"language {named!r}: the model knows {known}")
        if known and self._seamless:
            raise RowError(f"language: this model must be told which one of {known}")
        return None

    def features(self, samples: Samples, language: str | None) -> Tensors:  # noqa: ARG002 # generate is told
        """What the model is given of a sound."""
        return self._extract(samples)

    def heard(
        self,
        tensors: Tensors,  # noqa: ARG002 # nothing in them says it
        languages: Sequence[str | None],
    ) -> list[str | None]:
        """The languages told."""
        return list(languages)

    def language_name(self, language: str | None) -> str | None:
        """As the model calls it."""
        return language

    def tokens(
        self,
        tensors: Tensors,
        windows: Sequence[Window],
        languages: Sequence[str | None],
        *,
        timestamps: bool,  # noqa: ARG002 # refused before
    ) -> list[torch.Tensor]:
        """What is written, (T,) a row; rows of one language and limit together."""
        limits = [self._limit(window.length / self._rate) for window in windows]
        found: dict[int, torch.Tensor] = {}
        for group in alike(zip(languages, limits, strict=True)):
            rows = {name: tensor[group] for name, tensor in tensors.items()}
            written = self._write(rows, languages[group[0]], limits[group[0]])
            found.update(zip(group, written.cpu(), strict=True))
        return [found[row] for row in range(len(windows))]

    def read(
        self,
        tokens: Sequence[torch.Tensor],
        windows: Sequence[Window],  # noqa: ARG002 # there is one
        *,
        timestamps: bool,  # noqa: ARG002 # refused before
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of a sound."""
        [written] = tokens
        return self._tokenizer.decode(written, skip_special_tokens=True), None

    def _write(self, tensors: Tensors, language: str | None, limit: int | None) -> torch.Tensor:
        told: dict[str, Any] = {} if limit is None else {"max_new_tokens": limit}
        if language and self._seamless:
            told["tgt_lang"] = language
        elif language:
            told["forced_bos_token_id"] = self._languages[language]
        written: torch.Tensor = self._model.generate(**tensors, num_beams=self._num_beams, **told)
        return written

    def _limit(self, seconds: float) -> int | None:
        """How many tokens a sound's text may have; None where the generation config says it."""
        own = self._model.generation_config
        if self._most:
            return self._most
        if own.max_new_tokens or own.max_length:
            return None
        return _TOKENS + _TOKENS_PER_S * math.ceil(seconds)
