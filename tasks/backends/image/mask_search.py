"""Where a search for all masks of an image looks, and which of its finds it keeps.

The grid of points, the crops and their overlap are those of Segment Anything (Kirillov et al.,
2023, appendix B) as transformers has them, without its need of torchvision.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..sizes import Size

#: left, top, right, bottom in pixels of the whole image.
Crop = tuple[int, int, int, int]

#: How near to a crop's edge an object was cut, in pixels.
_NEAR = 20


def crops(size: Size, layers: int, overlap_ratio: float) -> list[tuple[int, Crop]]:
    """The whole image as layer 0, then 4^i overlapping crops for each layer i."""
    width, height = size
    found: list[tuple[int, Crop]] = [(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        side = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / side))
        wide = math.ceil((overlap * (side - 1) + width) / side)
        high = math.ceil((overlap * (side - 1) + height) / side)
        for column, line in product(range(side), repeat=2):
            left, top = (wide - overlap) * column, (high - overlap) * line
            box = (left, top, min(left + wide, width), min(top + high, height))
            if left < width and top < height:  # a few pixels do not make eight parts
                found.append((layer, box))
    return found


def grid(side: int, size: Size) -> NDArray[np.float32]:
    """Points (side * side, 2) spread evenly over an image, line by line."""
    steps = (np.arange(side) + 0.5) / side
    xs, ys = np.meshgrid(steps * size[0], steps * size[1])
    points = np.stack([xs.ravel(), ys.ravel()], axis=1)
    return points.astype(np.float32)


def cut_off(boxes: NDArray[np.float32], crop: Crop, size: Size) -> NDArray[np.bool_]:
    """Which boxes (N, 4), in pixels of the whole image, end at an edge of the crop but not at the
    image's: their objects go on outside.
    """
    at_crop = np.abs(boxes - np.array(crop)) <= _NEAR
    at_image = np.abs(boxes - np.array([0, 0, *size])) <= _NEAR
    cut: NDArray[np.bool_] = np.logical_or.reduce(at_crop & ~at_image, axis=1)
    return cut


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float
) -> list[int]:
    """Non-maximum suppression: positions to keep, surest first.

    A box goes when it overlaps a surer one that stays by more than `threshold` of their union.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[left, :2], boxes[best, :2])
        high = np.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        union = area[left] + area[best] - shared
        # A box without area (one pixel) overlaps nothing; and nothing is divided by nothing.
        left = left[shared <= threshold * np.maximum(union, 1e-9)]
    return kept
