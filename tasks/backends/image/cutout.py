"""A part of an image, cut out and resized in one, as OpenCV's warpAffine does without turning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sizes import Size


def cutout(
    image: NDArray[np.uint8], centre: tuple[float, float], scale: float, size: Size
) -> NDArray[np.uint8]:
    """The part around a place, (h, w, 3), of `scale` pixels of the image each; black beyond it."""
    width, height = size
    x = centre[0] + (np.arange(width) - width / 2) * scale
    y = centre[1] + (np.arange(height) - height / 2) * scale
    (left, right), (before, after) = _sides(x, image.shape[1])
    (upper, lower), (above, below) = _sides(y, image.shape[0])
    top = image[np.ix_(upper, left)] * before + image[np.ix_(upper, right)] * after
    bottom = image[np.ix_(lower, left)] * before + image[np.ix_(lower, right)] * after
    mixed = top * above[:, None] + bottom * below[:, None]
    part: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return part


def _sides(
    places: NDArray[np.floating[Any]], edge: int
) -> tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.floating[Any]], ...]]:
    """The two pixels that each place lies between, and what each weighs, (n, 1)."""
    low = np.floor(places).astype(np.int64)
    after = places - low
    sides, weights = (low, low + 1), (1 - after, after)
    there = tuple((side >= 0) & (side < edge) for side in sides)
    return (
        tuple(side.clip(0, edge - 1) for side in sides),
        tuple((weight * real)[:, None] for weight, real in zip(weights, there, strict=True)),
    )
