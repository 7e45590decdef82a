"""How well a model does on drawn shapes: what it finds, what it makes up, which pixels it marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from wherry.samples.shapes_data import Drawn, overlap

#: A found shape: index into SHAPES, and its box's corners in pixels.
Found = tuple[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares, 0 to 1. A shape is found by a right name and a box that overlaps by over a half."""

    #: Of the drawn shapes, those found.
    recall: float
    #: Of the answers, those that find a shape; a second answer for one shape finds nothing.
    precision: float
    #: Of the pictures, those with every shape found and nothing else answered.
    exact: float


def quality(truths: Sequence[Sequence[Drawn]], answers: Sequence[Sequence[Found]]) -> Quality:
    """Hold answers, surest first, against what was drawn."""
    hits = [_hits(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
    drawn, answered = sum(map(len, truths)), sum(map(len, answers))
    exact = sum(
        hit == len(truth) == len(answer)
        for hit, truth, answer in zip(hits, truths, answers, strict=True)
    )
    return Quality(sum(hits) / max(drawn, 1), sum(hits) / max(answered, 1), exact / len(truths))


def _hits(truth: Sequence[Drawn], answer: Sequence[Found]) -> int:
    left = list(truth)
    for shape, box in answer:
        for drawn in left:
            if drawn.shape == shape and overlap(drawn.box, box) > 0.5:
                left.remove(drawn)
                break
    return len(truth) - len(left)


def label_overlaps(truth: NDArray[Any], found: NDArray[Any], labels: int) -> list[float]:
    """Intersection over union of each label's pixels, over all of two stacks of label maps."""
    both = ((truth == label, found == label) for label in range(labels))
    return [float((a & b).sum() / max((a | b).sum(), 1)) for a, b in both]
