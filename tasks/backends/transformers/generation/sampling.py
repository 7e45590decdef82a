"""Drawing tokens so that a row's chance is its own, whatever runs beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import LogitsProcessor

from .parameters import Parameters


@dataclass(frozen=True, slots=True)
class Warping:
    """How the distribution is bent before a draw."""

    temperature: float
    top_k: int  # 0 for all
    top_p: float
    typical_p: float = 1.0

    @classmethod
    def of(cls, own: Any, wanted: Parameters) -> Self:
        """What is asked for, else what the model's generation config says, else nothing."""
        return cls(
            temperature=_first(wanted.temperature, own.temperature, 1.0),
            top_k=_first(wanted.top_k, own.top_k, 0),
            top_p=_first(wanted.top_p, own.top_p, 1.0),
            typical_p=_first(wanted.typical_p, own.typical_p, 1.0),
        )


class Drawing:
    """Draws a token for each of several rows, each from its own bent distribution."""

    def __init__(self, warpings: Sequence[Warping]) -> None:
        self._temperature = _column(torch.float32, [each.temperature for each in warpings])
        self._top_p = _column(torch.float32, [each.top_p for each in warpings])
        self._top_k = _column(torch.long, [each.top_k for each in warpings])
        self._typical_p = _column(torch.float32, [each.typical_p for each in warpings])
        #: The largest top_k, and whether any row has a top_p.
        self._most = max((each.top_k for each in warpings), default=0)
        self._sums = any(each.top_p < 1 for each in warpings)
        self._typical = any(each.typical_p < 1 for each in warpings)

    def __call__(self, scores: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """scores: (B, V), numbers: (B,) from 0 to 1 -> tokens (B,).

        A number becomes a token by the inverse of the cumulative distribution.
        """
        sums = self.bent(scores).double().softmax(-1).cumsum(-1)
        # The first token that passes the number; one without chance never does.
        number = numbers[:, None].to(sums.device) * sums[:, -1:]
        return torch.searchsorted(sums, number, right=True)[:, 0]

    def bent(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores (B, V) by temperature, top_k, top_p and typical_p, as transformers bends them."""
        if self._temperature.device != scores.device:
            self._temperature = self._temperature.to(scores.device)
            self._top_p, self._top_k = self._top_p.to(scores.device), self._top_k.to(scores.device)
            self._typical_p = self._typical_p.to(scores.device)
        scores = scores / self._temperature
        rows, size = scores.shape
        if self._most:
            top_k = self._top_k.expand(rows, 1).clamp(max=size)
            best = scores.topk(min(self._most, size), dim=-1).values  # (B, k)
            least = best.gather(1, (top_k - 1).clamp(min=0))
            scores = scores.masked_fill((scores < least) & (top_k > 0), -torch.inf)
        if self._sums:
            ascending, order = scores.sort(-1)
            sums = ascending.softmax(-1).cumsum(-1)
            unlikely = (sums <= 1 - self._top_p) & (self._top_p < 1)
            unlikely[:, -1] = False
            scores = scores.masked_fill(unlikely.scatter(1, order, unlikely), -torch.inf)
        return self._typical_of(scores) if self._typical else scores

    def _typical_of(self, scores: torch.Tensor) -> torch.Tensor:
        """Without the tokens that tell much more, or less, than is to be expected (Meister et al.,
        2022).
        """
        logprobs = scores.log_softmax(-1)
        expected = -(logprobs * logprobs.exp()).nansum(-1, keepdim=True)
        odd = (-logprobs - expected).abs()
        odds, order = odd.sort(-1)
        sums = scores.gather(1, order).softmax(-1).cumsum(-1)
        last = (sums < self._typical_p).sum(1, keepdim=True).clamp(max=scores.shape[1] - 1)
        far = (odd > odds.gather(1, last)) & (self._typical_p < 1)
        return scores.masked_fill(far, -torch.inf)


def _column(kind: torch.dtype, values: Sequence[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=kind)[:, None]


def own_numbers(seeds: Sequence[int | None], steps: int) -> torch.Tensor:
    """(B, steps) numbers from 0 to 1, each row's from its seed; None is another one each time.

    They are Python's, so that they are the same on every device.
    """
    chances = [random.Random(seed) for seed in seeds]  # noqa: S311 # not for secrets
    return torch.tensor(
        [[chance.random() for _ in range(steps)] for chance in chances], dtype=torch.float64
    )


class RowSampler(LogitsProcessor):  # type: ignore[misc] # transformers is untyped
    """Leaves one token a row, drawn with the row's own numbers: the greedy choice then takes it."""

    def __init__(self, warping: Warping, numbers: torch.Tensor, prompt_length: int) -> None:
        self._draw, self._numbers, self._start = Drawing([warping]), numbers, prompt_length

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # tensors; transformers has own names
        """scores: (B, V) -> the same, -inf but for each row's token."""
        tokens = self._draw(scores, self._numbers[:, input_ids.shape[1] - self._start])
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
