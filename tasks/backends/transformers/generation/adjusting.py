"""What a row asks to be added to its scores: biases, and penalties for what it has said.

Of its own new tokens alone: the prompt's do not count, as OpenAI and vLLM have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

import torch

from .parameters import Parameters


class Adjustment:
    """Changes the scores of one row in place, before a token is chosen from them."""

    def __init__(self, wanted: Parameters, ends: Iterable[int]) -> None:
        self._presence, self._frequency = wanted.presence_penalty, wanted.frequency_penalty
        self._bias, self._least = dict(wanted.logit_bias), wanted.min_new_tokens
        self._ends = sorted(ends)

    @classmethod
    def of(cls, wanted: Parameters, ends: Iterable[int]) -> Self | None:
        """What a row asks for; None where that is nothing. `ends` are the tokens that end it."""
        asked = wanted.presence_penalty or wanted.frequency_penalty or wanted.logit_bias
        return cls(wanted, ends) if asked or wanted.min_new_tokens else None

    def __call__(self, tokens: Sequence[int], scores: torch.Tensor) -> None:
        """tokens: those that the row has got so far. scores: (V,), in place."""
        if self._bias:
            _add(scores, self._bias)
        if tokens and (self._presence or self._frequency):
            counts = Counter(tokens)
            _add(
                scores,
                {
                    token: -self._presence - self._frequency * count
                    for token, count in counts.items()
                },
            )
        if self._ends and len(tokens) < self._least:
            scores[torch.tensor(self._ends, device=scores.device)] = -torch.inf


def _add(scores: torch.Tensor, what: dict[int, float]) -> None:
    index = torch.tensor([*what], device=scores.device)
    scores[index] += torch.tensor([*what.values()], dtype=scores.dtype, device=scores.device)
