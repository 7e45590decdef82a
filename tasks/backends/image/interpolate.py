"""Maps resized as torch's `interpolate` does without align_corners or antialiasing, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..sizes import Size

Floats = NDArray[np.float32]

#: How far a pixel lies beyond its lower neighbour -> offsets of neighbours, with their weights.
Weigh = Callable[[NDArray[np.float64]], list[tuple[int, NDArray[np.float64]]]]

#: Keys' cubic of torch, and of OpenCV; Pillow's is softer (-0.5).
_SHARPNESS = -0.75


def interpolated(
    maps: Floats,
    size: Size,
    kernel: Literal["bilinear", "bicubic"],
    window: tuple[slice, slice] = (slice(None), slice(None)),
) -> Floats:
    """Maps (..., h, w) in another size, (width, height); of that the window's lines and columns."""
    weigh = _linear if kernel == "bilinear" else _cubic
    rows = _along(maps.swapaxes(-1, -2), size[1], weigh, window[0]).swapaxes(-1, -2)
    return _along(rows, size[0], weigh, window[1])


def _along(maps: Floats, length: int, weigh: Weigh, part: slice) -> Floats:
    """The last axis in another length, and of that a part."""
    before = maps.shape[-1]
    if before == length:
        return maps[..., part]
    centre = (np.arange(length)[part] + 0.5) * (before / length) - 0.5
    if weigh is _linear:
        centre = centre.clip(min=0)
    low = np.floor(centre).astype(np.int64)
    whole: Floats = np.zeros((*maps.shape[:-1], len(centre)), dtype=np.float32)
    for offset, weights in weigh(centre - low):
        whole += maps[..., (low + offset).clip(0, before - 1)] * weights.astype(np.float32)
    return whole


def _linear(beyond: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
    return [(0, 1 - beyond), (1, beyond)]


def _cubic(beyond: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
    a = _SHARPNESS

    def near(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [
        (-1, far(beyond + 1)),
        (0, near(beyond)),
        (1, near(1 - beyond)),
        (2, far(2 - beyond)),
    ]
