"""Images resized as OpenCV's `INTER_LINEAR` does, to the last bit, in numpy.

It takes the four pixels nearest to each new one, however much the image shrinks; Pillow weighs all
that fall together. What was trained on the one sees other images from the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..sizes import Size

#: What this rule is called beside Pillow's.
OPENCV: Final = "opencv"

#: OpenCV weighs in whole parts of this.
_PARTS = np.float32(2048)


def resized(image: Image.Image, size: Size) -> Image.Image:
    """An RGB image in another size, (width, height)."""
    if image.size == size:
        return image
    pixels = np.asarray(image)
    if image.size == (2 * size[0], 2 * size[1]):
        return Image.fromarray(_halved(pixels))
    left, right, *wide = _along(image.width, size[0], held=True)
    upper, lower, *high = _along(image.height, size[1], held=False)
    used = np.zeros(image.height, dtype=bool)
    used[upper] = used[lower] = True
    place = np.cumsum(used) - 1  # of a used line among the used ones
    lines = _weighed((pixels[used].take(at, axis=1) for at in (left, right)), wide, (-1, 1))
    lines >>= 4
    whole = _weighed((lines.take(place[at], axis=0) for at in (upper, lower)), high, (-1, 1, 1), 16)
    return Image.fromarray(((whole + 2) >> 2).astype(np.uint8))


def _weighed(
    neighbours: Iterable[NDArray[Any]],
    weights: Sequence[NDArray[np.int32]],
    shape: tuple[int, ...],
    shift: int = 0,
) -> NDArray[np.int32]:
    """The sum of both neighbours, each by its weight, and cut by so many bits before."""
    first, second = (
        near.astype(np.int32) * weight.reshape(shape) >> shift
        for near, weight in zip(neighbours, weights, strict=True)
    )
    first += second
    return first


def _along(
    before: int, after: int, *, held: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Of each new pixel of a line: its two neighbours there, and their weights. Beyond an edge both
    are the last pixel; `held` gives the first of them all the weight, as OpenCV does of columns.
    """
    centre = ((np.arange(after) + 0.5) * (1 / (after / before)) - 0.5).astype(np.float32)
    low = np.floor(centre)
    beyond = centre - low
    if held:
        beyond[(low < 0) | (low >= before - 1)] = 0
    near = low.astype(np.int64)
    return (
        near.clip(0, before - 1),
        (near + 1).clip(0, before - 1),
        np.rint((1 - beyond) * _PARTS).astype(np.int32),
        np.rint(beyond * _PARTS).astype(np.int32),
    )


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half the size: OpenCV takes the mean of four there."""
    wide = pixels.astype(np.uint16)
    whole = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]
    return ((whole + 2) >> 2).astype(np.uint8)
