"""Drawing tokens so that a row's chance is its own, whatever runs beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


@dataclass(frozen=True, slots=True)
class Warping:
    """How the distribution is bent before a draw."""

    temperature: float
    top_k: int  # 0 for all
    top_p: float

    @classmethod
    def of(
        cls, own: Any, temperature: float | None, top_p: float | None, top_k: int | None
    ) -> Self:
        """What is asked for, else what the model's generation config says, else nothing."""
        return cls(
            temperature=_first(temperature, own.temperature, 1.0),
            top_k=_first(top_k, own.top_k, 0),
            top_p=_first(top_p, own.top_p, 1.0),
        )

    def processors(self) -> LogitsProcessorList:
        """The steps, in the order of transformers."""
        steps = LogitsProcessorList()
        if self.temperature != 1:
            steps.append(TemperatureLogitsWarper(float(self.temperature)))
        if self.top_k:
            steps.append(TopKLogitsWarper(int(self.top_k)))
        if self.top_p < 1:
            steps.append(TopPLogitsWarper(float(self.top_p)))
        return steps


def own_numbers(seeds: Sequence[int | None], steps: int) -> torch.Tensor:
    """(B, steps) numbers from 0 to 1, each row's from its seed; None is another one each time.

    They are Python's, so that they are the same on every device.
    """
    chances = [random.Random(seed) for seed in seeds]  # noqa: S311 # not for secrets
    return torch.tensor(
        [[chance.random() for _ in range(steps)] for chance in chances], dtype=torch.float64
    )


class RowSampler(LogitsProcessor):  # type: ignore[misc] # transformers is untyped
    """Leaves one token a row, drawn with that row's own numbers: the greedy choice then takes it.

    A number becomes a token by the inverse of the cumulative distribution.
    """

    def __init__(self, warping: Warping, numbers: torch.Tensor, prompt_length: int) -> None:
        self._warp, self._numbers, self._start = warping.processors(), numbers, prompt_length

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # tensors; transformers has own names
        """scores: (B, V) -> the same, -inf but for each row's token."""
        sums = self._warp(input_ids, scores).double().softmax(-1).cumsum(-1)
        number = self._numbers[:, input_ids.shape[1] - self._start, None].to(sums.device)
        # The first token that passes the number; one without chance never does.
        token = torch.searchsorted(sums, number * sums[:, -1:], right=True)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
