"""What a model held of tokens: the chance of each, and of the likeliest in its place."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ....text.tokens import LEAST_LOGPROB


class Score(NamedTuple):
    """A token's logprob, and the likeliest tokens in its place, (id, logprob) each."""

    logprob: float
    likeliest: list[tuple[int, float]]


def scores_of(logprobs: torch.Tensor, tokens: torch.Tensor, top: int) -> list[Score]:
    """The scores of tokens (B,) under logprobs (B, V), with `top` of the likeliest each."""
    own = logprobs.gather(1, tokens[:, None])[:, 0].clamp(min=LEAST_LOGPROB).tolist()
    if not top:
        return [Score(logprob, []) for logprob in own]
    best = logprobs.topk(min(top, logprobs.shape[1]), dim=1)
    rows = zip(best.indices.tolist(), best.values.clamp(min=LEAST_LOGPROB).tolist(), strict=True)
    likeliest = [list(zip(*row, strict=True)) for row in rows]
    return [Score(*row) for row in zip(own, likeliest, strict=True)]
