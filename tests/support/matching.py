"""EfficientLoFTR's coarse matches, found one by one.

transformers 5.23 lists the places of the first image in the second one's order, and the other way
round, so that what it answers as a pair belongs together only where nothing has moved.
"""

from __future__ import annotations

from typing import Any

import torch


def match_by_hand(model: Any) -> None:
    """Have a model of transformers find them so."""
    config = model.config

    def found(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = [
            _pairs(own, config.coarse_matching_threshold, config.coarse_matching_border_removal)
            for own in scores
        ]
        places, values = zip(*pairs, strict=True)
        return torch.stack(places), torch.stack(values)

    model._get_matches_from_scores = found


def _pairs(
    scores: torch.Tensor, threshold: float, border: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places and scores, (2, n) each, of scores (height, width, height, width)."""
    height, width = scores.shape[:2]
    edge = {
        row * width + column
        for row in range(height)
        for column in range(width)
        if min(row, height - 1 - row, column, width - 1 - column) < border
    }
    flat = scores.reshape(height * width, height * width)
    places = torch.full((2, len(flat)), -1)
    values = torch.zeros(2, len(flat))
    for first in range(len(flat)):
        second = int(flat[first].argmax())
        score = flat[first, second]
        is_mutual = score == flat[:, second].max()
        if is_mutual and score > threshold and not {first, second} & edge:
            places[:, first] = torch.tensor([first, second])
            values[:, first] = score
    return places, values
