"""Masks as polygons through the middles of pixels, as `cv2.findContours` follows them.

`cv2.fillPoly`, which Ultralytics and supervision draw with, fills such a polygon with its outline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .polygons import Corner

_Edges = NDArray[np.int64]

#: Directions of edges: a set pixel is to the right of each.
_RIGHT, _DOWN, _LEFT, _UP = range(4)

#: Edges of the parts above one among which the nearest is looked for: of specks there are many.
_LOOKED_AT = 1 << 12


def outline(mask: NDArray[np.bool_]) -> list[Corner]:
    """One polygon that `cv2.fillPoly` makes the set pixels (H, W) of again; [] for an empty mask.

    It goes from each part to its holes over the part's own pixels, and from one part to the next on
    a straight line and back: pixels under such a line are filled too. Parts touch at corners.
    """
    if not mask.any():
        return []
    keys, pixels, after = _edges(mask)
    loops = _loops(after)
    within: dict[int, list[tuple[int, int]]] = {}
    before = np.fromiter(chain(*loops), np.int64)
    passed = len(loops[0])
    for number, loop in enumerate(loops[1:], start=1):
        if keys[loop[0]] % 4 == _RIGHT:
            near = before[max(0, passed - _LOOKED_AT) : passed]
            from_, start = _nearest(pixels, near, before[passed : passed + len(loop)])
        else:  # a hole's first edge is down its left side
            from_, start = _left_of(mask, keys, pixels[loop[0]]), 0
        within.setdefault(from_, []).append((number, start))
        passed += len(loop)
    walk = np.fromiter(_walked(loops, within), np.int64)
    corners: list[Corner] = [(x, y) for x, y in _turns(pixels[walk]).tolist()]
    return corners


def _edges(mask: NDArray[np.bool_]) -> tuple[_Edges, NDArray[np.int64], list[int]]:
    """Edges of pixels between set and unset: what tells each, its pixel (x, y), and its next.

    They are told by the corner that they begin at, row by row, and their direction.
    """
    wide = mask.shape[1] + 1
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    beside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    begins = ((0, 0), (1, 0), (1, 1), (0, 1))
    steps = (1, wide, -1, -wide)
    keys, pixels, ends, ways = [], [], [], []
    for way, (other, (right, down)) in enumerate(zip(beside, begins, strict=True)):
        y, x = np.nonzero(inner & ~other)
        corner = (y + down) * wide + x + right
        keys.append(corner * 4 + way)
        pixels.append(np.stack([x, y], axis=1))
        ends.append(corner + steps[way])
        ways.append(np.full(len(x), way))
    key, end, way_ = np.concatenate(keys), np.concatenate(ends), np.concatenate(ways)
    order = np.argsort(key)
    key, end, way_ = key[order], end[order], way_[order]
    return key, np.concatenate(pixels)[order], _after(key, end, way_).tolist()


def _after(key: _Edges, end: _Edges, way: _Edges) -> _Edges:
    """The edge that follows each: to the left where two do, so that pixels at a corner are one."""
    after = np.full(len(key), -1)
    for turn in (1, 0, -1):
        wanted = end * 4 + (way + turn) % 4
        found = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        after = np.where(key[found] == wanted, found, after)
    return after


def _loops(after: list[int]) -> list[list[int]]:
    """Edges of each loop, from its first corner on; the loops in the order of these."""
    seen = bytearray(len(after))
    loops = []
    for first in range(len(after)):
        if seen[first]:
            continue
        loop, edge = [], first
        while not seen[edge]:
            seen[edge] = 1
            loop.append(edge)
            edge = after[edge]
        loops.append(loop)
    return loops


def _left_of(mask: NDArray[np.bool_], keys: _Edges, pixel: NDArray[np.int64]) -> int:
    """The edge on the left of the run of set pixels that a pixel is in."""
    x, y = pixel.tolist()
    unset = np.flatnonzero(~mask[y, :x])
    begin = int(unset[-1]) + 1 if unset.size else 0
    return int(np.searchsorted(keys, ((y + 1) * (mask.shape[1] + 1) + begin) * 4 + _UP))


def _nearest(pixels: NDArray[np.int64], before: _Edges, loop: _Edges) -> tuple[int, int]:
    """An edge of those before and a place in the loop that are near each other."""
    far, near = pixels[before], pixels[loop]
    start = _closest(near, far[_closest(far, near.mean(axis=0))])
    return int(before[_closest(far, near[start])]), start


def _closest(pixels: NDArray[np.int64], to: NDArray[Any]) -> int:
    return int(np.argmin(((pixels - to) ** 2).sum(axis=1)))


def _walked(loops: list[list[int]], within: dict[int, list[tuple[int, int]]]) -> Iterator[int]:
    """Edges in the order in which they are gone along; those that are met again are gone back to.

    Loops are within each other as deep as a mask is odd: a stack, no recursion.
    """
    stack: list[Iterator[int]] = [iter(loops[0])]
    while stack:
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
        elif edge < 0:
            yield ~edge
        else:
            yield edge
            if edge in within:
                stack.append(chain.from_iterable(_around(loops, within[edge], edge)))


def _around(
    loops: list[list[int]], starts: list[tuple[int, int]], edge: int
) -> Iterator[Iterable[int]]:
    for number, start in starts:
        loop = loops[number]
        yield chain(loop[start:], loop[:start], (~loop[start], ~edge))


def _turns(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of a walk without those that it goes straight on at."""
    pixels = pixels[np.append(True, (np.diff(pixels, axis=0) != 0).any(axis=1))]
    steps = np.diff(pixels, axis=0)
    cross = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    onward = (steps[:-1] * steps[1:]).sum(axis=1) > 0
    kept = np.ones(len(pixels), bool)
    kept[1:-1] = (cross != 0) | ~onward
    return pixels[kept]
