"""Tokens with their logprobs, in the two forms that OpenAI's API has for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ....text.tokens import LEAST_LOGPROB, Candidate, Token
from .base import UNNUMBERED


def tokens_told(told: Any) -> list[Token]:
    """Tokens with their logprobs, in the form of chat or of completions; [] where none are told."""
    if isinstance(told, list):
        return [token for token in told if isinstance(token, Token)]
    if not isinstance(told, Mapping):
        return []
    if isinstance(entries := told.get("content"), list):
        return [
            Token(
                UNNUMBERED,
                str(entry.get("token", "")),
                _logprob(entry.get("logprob")),
                top=tuple(
                    Candidate(UNNUMBERED, str(top.get("token", "")), _logprob(top.get("logprob")))
                    for top in entry.get("top_logprobs") or ()
                ),
            )
            for entry in entries
        ]
    texts, numbers = told.get("tokens") or (), told.get("token_logprobs") or ()
    tops = told.get("top_logprobs") or [None] * len(texts)
    return [
        Token(
            UNNUMBERED,
            str(text),
            _logprob(number),
            top=tuple(
                Candidate(UNNUMBERED, str(name), _logprob(value))
                for name, value in (top or {}).items()
            ),
        )
        for text, number, top in zip(texts, numbers, tops, strict=False)
    ]


def _logprob(value: Any) -> float:
    is_one = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_one else LEAST_LOGPROB
