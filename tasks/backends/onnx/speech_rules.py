"""Which token Whisper may say next (Radford et al., 2022): the rules of its generation_config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from .languages import CODES, NAMES

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """What a folder's generation_config.json and config.json say."""

    start: int
    end: int
    #: The first timestamp; the token before it says that there are none.
    first_time: int
    languages: Mapping[str, int]
    transcribe: int | None
    never: tuple[int, ...]
    never_first: tuple[int, ...]
    latest_start: int | None
    #: Runs of so many tokens come once; 0 where they may come again.
    no_repeat: int
    max_positions: int
    max_new: int | None
    max_length: int | None

    @classmethod
    def read(cls, settings: Mapping[str, Any], config: Mapping[str, Any]) -> SpeechRules:
        """Raises ValueError where the settings do not tell what they must."""
        # Folders of 2022 have but config.json; where both are, what it suppresses does not count.
        told = settings or config
        both = {**config, **{name: value for name, value in settings.items() if value is not None}}
        size = int(config.get("vocab_size") or 51_865)
        missing = {"decoder_start_token_id", "eos_token_id", "no_timestamps_token_id"} - {*both}
        if missing:
            raise ValueError(f"generation_config.json lacks {', '.join(sorted(missing))}")
        multilingual = bool(both.get("is_multilingual"))
        end = both["eos_token_id"]
        return cls(
            start=int(both["decoder_start_token_id"]),
            end=int(end[0] if isinstance(end, list) else end),
            first_time=int(both["no_timestamps_token_id"]) + 1,
            languages=dict(both.get("lang_to_id") or {}) if multilingual else {},
            transcribe=(both.get("task_to_id") or {}).get("transcribe") if multilingual else None,
            never=tuple(t for t in told.get("suppress_tokens") or () if t < size),
            never_first=tuple(t for t in told.get("begin_suppress_tokens") or () if t < size),
            latest_start=told.get("max_initial_timestamp_index"),
            no_repeat=int(told.get("no_repeat_ngram_size") or 0),
            max_positions=int(both.get("max_target_positions") or 448),
            max_new=settings.get("max_new_tokens"),
            max_length=settings.get("max_length"),
        )

    def language(self, wanted: str | None) -> int | None:
        """The token of a language, by code or English name; None where it is to be found out, or
        where the model has but one. Raises RowError for one it does not know.
        """
        if wanted is None:
            return None
        code = CODES.get(wanted.lower(), wanted.lower())
        if not self.languages:
            if code == "en":
                return None
            raise RowError(f"language {wanted!r}: the model knows English only")
        if f"<|{code}|>" not in self.languages:
            raise RowError(f"language {wanted!r}: the model does not know it")
        return self.languages[f"<|{code}|>"]

    def language_name(self, language: int | None) -> str | None:
        """What a language's token is called in English; None where it is not known."""
        if not self.languages:
            return "english"
        written = next((word for word, token in self.languages.items() if token == language), "")
        code = written.strip("<|>")
        return NAMES.get(code, code) or None

    def prompt(self, language: int | None, *, timed: bool) -> list[int]:
        """The tokens to begin with."""
        parts = [self.start, language, self.transcribe if language is not None else None]
        known = [token for token in parts if token is not None]
        return known if timed else [*known, self.first_time - 1]

    def most_new(self, prompt: int) -> int:
        """How many tokens may follow a prompt of that length."""
        room = self.max_positions - prompt
        if self.max_new is not None:
            return min(self.max_new, room)
        return room if self.max_length is None else min(self.max_length, room)

    def allowed(
        self, logits: Floats, said: Sequence[Sequence[int]], *, prompt: int, timed: bool
    ) -> Floats:
        """Logits (B, vocabulary) with what may not follow at minus infinity.

        said: the tokens of each row, the first `prompt` of which it was given.
        """
        logits = logits.copy()
        logits[:, [*self.never]] = -np.inf
        for row, tokens in zip(logits, said, strict=True):
            row[self._repeating(tokens)] = -np.inf
            if len(tokens) == prompt:
                row[[*self.never_first]] = -np.inf
            if timed:
                self._time(row, tokens[prompt:])
        return logits

    def _repeating(self, tokens: Sequence[int]) -> list[int]:
        """What followed the last tokens before."""
        length = self.no_repeat - 1
        if length < 0 or len(tokens) <= length:
            return []
        last = tokens[len(tokens) - length :]
        starts = range(len(tokens) - length)
        return [tokens[i + length] for i in starts if tokens[i : i + length] == last]

    def _time(self, row: Floats, tokens: Sequence[int]) -> None:
        """Timestamps come in pairs that never go back, but for one before the end; the first
        token is one; where all of them together are likelier than any word, one it is.
        """
        first = self.first_time
        row[first - 1] = -np.inf
        last = bool(tokens) and tokens[-1] >= first
        before = len(tokens) < 2 or tokens[-2] >= first
        if last and before:
            row[first:] = -np.inf
        elif last:
            row[: self.end] = -np.inf
        times = [token for token in tokens if token >= first]
        if times:
            row[first : times[-1] + (0 if last and not before else 1)] = -np.inf
        if not tokens:
            row[:first] = -np.inf
            if self.latest_start is not None:
                row[first + self.latest_start + 1 :] = -np.inf
        highest = row.max()
        together = np.exp(row[first:] - highest).sum()
        if together > np.exp(row[:first].max() - highest):
            row[:first] = -np.inf
