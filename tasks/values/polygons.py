"""Masks as polygons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A corner of pixels: x, y.
Corner = tuple[int, int]


def polygon(mask: NDArray[np.bool_]) -> list[Corner]:
    """One polygon that covers just the set pixels (H, W) when it is filled by the even-odd rule.

    It follows the edges of pixels around each part and each hole, and goes from the first of these
    loops to the next and back on the same line, which encloses nothing. [] for an empty mask.
    """
    after = _edges(mask)
    corners: list[Corner] = []
    while after:
        loop = _loop(after)
        corners += loop
        if len(corners) > len(loop):
            corners.append(corners[0])
    return corners


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """From each corner on an edge, the next ones, with the set pixels to the right."""
    padded = np.pad(mask.astype(np.int8), 1)
    down = np.diff(padded, axis=0)[:, 1:-1]  # 1: set below, -1: set above
    across = np.diff(padded, axis=1)[1:-1]  # 1: set right, -1: set left
    after: dict[Corner, list[Corner]] = {}
    for steps, from_, to in (
        (down == 1, (0, 0), (1, 0)),
        (down == -1, (1, 0), (0, 0)),
        (across == 1, (0, 1), (0, 0)),
        (across == -1, (0, 0), (0, 1)),
    ):
        for y, x in np.argwhere(steps).tolist():
            after.setdefault((x + from_[0], y + from_[1]), []).append((x + to[0], y + to[1]))
    return after


def _loop(after: dict[Corner, list[Corner]]) -> list[Corner]:
    """Take a loop out of the edges: its turns, the first of them again at the end."""
    start = here = next(iter(after))
    ring: list[Corner] = []
    while not ring or here != start:
        ring.append(here)
        onward = after[here]
        there = onward.pop()
        if not onward:
            del after[here]
        here = there
    around = zip([ring[-1], *ring], ring, [*ring[1:], ring[0]], strict=False)
    turns = [corner for before, corner, behind in around if not _straight(before, corner, behind)]
    return [*turns, turns[0]]


def _straight(before: Corner, corner: Corner, behind: Corner) -> bool:
    return before[0] == corner[0] == behind[0] or before[1] == corner[1] == behind[1]
