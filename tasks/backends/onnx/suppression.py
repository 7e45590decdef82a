"""Non-maximum suppression: of boxes that overlap, the surest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import ModelRefused


@dataclass(frozen=True, slots=True)
class Suppression:
    """Drops candidates that overlap a surer one of their class, or of any where `agnostic`.

    `iou` is the overlap, intersection over union, from which two boxes mean one object; `max_det`
    objects stay at most.
    """

    iou: float
    agnostic: bool = False
    max_det: int = 300

    def __post_init__(self) -> None:
        if not 0 <= self.iou <= 1:
            raise ModelRefused(f"iou {self.iou}: use a number from 0 to 1")
        if self.max_det < 1:
            raise ModelRefused(f"max_det {self.max_det}: use a number from 1")

    def surviving(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[Any]
    ) -> NDArray[np.int64]:
        """Positions of those that stay, surest first. boxes: (Q, 4), corners."""
        everything = np.arange(len(boxes))
        groups = [everything[classes == one] for one in np.unique(classes)]
        kept = np.zeros(len(boxes), dtype=bool)
        for group in [everything] if self.agnostic else groups:
            kept[group[suppressed(boxes[group], scores[group], self.iou)]] = True
        order = np.argsort(-scores, kind="stable")
        surest: NDArray[np.int64] = order[kept[order]][: self.max_det]
        return surest


def suppressed(boxes: NDArray[Any], scores: NDArray[np.float32], iou: float) -> list[int]:
    """Positions of the boxes (Q, 4) that overlap no surer one by more than `iou`, surest first."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    rest, kept = np.argsort(-scores, kind="stable"), []
    while len(rest):
        best, rest = int(rest[0]), rest[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        union = areas[best] + areas[rest] - shared
        rest = rest[shared <= iou * union]
    return kept
