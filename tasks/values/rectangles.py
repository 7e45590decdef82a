"""Rectangles around masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: x, y.
Point = tuple[float, float]


def smallest_rectangle(mask: NDArray[np.bool_]) -> list[Point]:
    """The corners, one after the other, of the smallest rectangle around the set pixels (H, W).

    One of its sides lies on a side of their convex hull (Freeman and Shapira 1975). There is a
    pixel at least.
    """
    hull = np.array(_hull(_outermost(mask)), float)
    sides = np.roll(hull, -1, axis=0) - hull
    along = sides / np.hypot(*sides.T)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    right, down = hull @ along.T, hull @ across.T  # (corner, side)
    areas = np.ptp(right, axis=0) * np.ptp(down, axis=0)
    best = int(np.argmin(areas))
    x, y = right[:, best], down[:, best]
    ends = ((x.min(), y.min()), (x.max(), y.min()), (x.max(), y.max()), (x.min(), y.max()))
    points = np.array(ends) @ np.stack([along[best], across[best]])
    return [(px, py) for px, py in points.tolist()]


def _outermost(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The corners of each row's first and last pixel, sorted."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = {
        (x, y + down)
        for y, left, right in zip(rows.tolist(), first.tolist(), last.tolist(), strict=True)
        for x in (left, right)
        for down in (0, 1)
    }
    return sorted(corners)


def _hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The corners of the convex hull of sorted points (Andrew 1979)."""
    halves = []
    for ordered in (points, points[::-1]):
        half: list[tuple[int, int]] = []
        for point in ordered:
            while len(half) > 1 and _turn(half[-2], half[-1], point) <= 0:
                half.pop()
            half.append(point)
        halves.append(half[:-1])
    return halves[0] + halves[1]


def _turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
