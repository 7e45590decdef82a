"""Whisper (Radford et al., 2022): text by generation, in one of many languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import SpeechChunk
from ...sound.waveform import Samples
from ...sound.windows import Window
from .base import Tensors


class Whisper:
    """A model that writes what it hears in 30 seconds or less."""

    align_to = 1
    hears_whole = False
    tells_times = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        extractor: Any,
        *,
        extract: Callable[[Samples], Tensors],
        num_beams: int,
    ) -> None:
        self._model, self._tokenizer, self._num_beams = model, tokenizer, num_beams
        self._extract = extract
        self._rate: int = extractor.sampling_rate
        self._seconds_per_timestamp = extractor.chunk_length / model.config.max_source_positions
        config = model.generation_config
        self._is_multilingual: bool = getattr(config, "is_multilingual", False)
        #: Token of a language, `<|en|>`, and its number.
        self._languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}

    def language(self, named: str | None) -> str | None:
        """The token of a language named by code or in English; None to find out, or of one only.

        Raises RowError for a language that the model does not know.
        """
        if named is None:
            return None
        code = TO_LANGUAGE_CODE.get(named.lower(), named.lower())
        if not self._is_multilingual:
            if code == "en":
                return None
            raise RowError(f"language {named!r}: the model knows English only")
        if f"<|{code}|>" not in self._languages:
            raise RowError(f"language {named!r}: the model does not know it")
        return f"<|{code}|>"

    def features(self, samples: Samples, language: str | None) -> Tensors:  # noqa: ARG002 # generate is told
        """What the model is given of a window."""
        return self._extract(samples)

    def heard(self, tensors: Tensors, languages: Sequence[str | None]) -> list[str | None]:
        """The windows' languages, as tokens; a model of English alone has none."""
        if not self._is_multilingual:
            return list(languages)
        return [*self._all_told(tensors["input_features"], languages)]

    def language_name(self, language: str | None) -> str | None:
        """`<|en|>` is english, and so is all that a model of English hears."""
        if language is None:
            return None if self._is_multilingual else "english"
        return str(LANGUAGES.get(language.strip("<|>"), language.strip("<|>")))

    def tokens(
        self,
        tensors: Tensors,
        windows: Sequence[Window],  # noqa: ARG002 # all are played 30 seconds
        languages: Sequence[str | None],
        *,
        timestamps: bool,
    ) -> list[torch.Tensor]:
        """Generated tokens, (T,) a row. input_features: (B, mels, frames)."""
        features = tensors["input_features"]
        told: dict[str, Any] = {}
        if self._is_multilingual:
            # Without a task, rows of languages that were found out would be prompted otherwise.
            told["task"] = getattr(self._model.generation_config, "task", None) or "transcribe"
            if any(languages):
                told["language"] = self._all_told(features, languages)
        generated = self._model.generate(
            input_features=features,
            attention_mask=tensors.get("attention_mask"),
            return_timestamps=timestamps,
            num_beams=self._num_beams,
            **told,
        )
        return list(generated.cpu())

    def _all_told(self, features: torch.Tensor, languages: Sequence[str | None]) -> list[str]:
        """The languages, with those that are None found out: generate takes all or none."""
        told = dict(enumerate(languages))
        untold = [i for i, language in told.items() if language is None]
        if untold:
            names = {number: name for name, number in self._languages.items()}
            found = self._model.detect_language(features[untold])
            told.update(zip(untold, (names[int(number)] for number in found), strict=True))
        return [str(language) for language in told.values()]

    def read(
        self, tokens: Sequence[torch.Tensor], windows: Sequence[Window], *, timestamps: bool
    ) -> tuple[str, list[SpeechChunk] | None]:
        """The text of windows that overlap, and its sentences with their times.

        Where windows overlap, the longest common run of tokens joins them.
        """
        outputs = [
            {
                "tokens": row[None],
                "stride": tuple(n / self._rate for n in (w.length, w.left, w.right)),
            }
            for row, w in zip(tokens, windows, strict=True)
        ]
        text, found = self._tokenizer._decode_asr(  # noqa: SLF001 # public only in a pipeline
            outputs,
            return_timestamps=timestamps,
            return_language=False,
            time_precision=self._seconds_per_timestamp,
        )
        if not timestamps:
            return text, None
        return text, _timed(found["chunks"], windows[-1].stop / self._rate)


def _timed(chunks: Sequence[dict[str, Any]], seconds: float) -> list[SpeechChunk]:
    """Chunks with the times that were not told: on from the chunk before, up to the sound's end.

    Nothing is said after it, though Whisper, to which 30 seconds are played, may tell such times.
    """
    timed: list[SpeechChunk] = []
    for chunk in chunks:
        start, end = chunk["timestamp"]
        if start is None:
            start = timed[-1].end if timed else 0.0
        times = (min(start, seconds), seconds if end is None else min(end, seconds))
        timed.append(SpeechChunk(text=chunk["text"], start=times[0], end=times[1]))
    return timed
