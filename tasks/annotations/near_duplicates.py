"""Pictures that look alike: a hash of what is seen in each, and groups of those that hardly differ.

The hash has a bit for each of the lowest 63 waves of the picture's grey (pHash, Zauner 2010):
another size, quality or format of a picture has its hash but for a few bits. Of a million pictures
24 MB are held, and no pair is missed: two hashes that differ in four bits at most agree in one
of five bands of bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Bits of the hash in which pictures may differ that look alike.
MOST_BITS = 4

#: Pixels of a side of the grey picture that is hashed, and waves each way.
HASHED_SIDE, _WAVES = 32, 8

#: Where pixels differ less, of 255, there is nothing to be seen: all such look alike.
_BLANK = 2.0

#: What is noted of a picture: its row's place in the source, its hash, a part of its row's key.
PICTURE = np.dtype([("position", "<u8"), ("hash", "<u8"), ("key", "<u8")])

#: Bits of each band.
_BANDS = (13, 13, 13, 13, 12)

_angles = np.pi * np.outer(np.arange(_WAVES), 2 * np.arange(HASHED_SIDE) + 1) / (2 * HASHED_SIDE)
_COSINES = np.cos(_angles).astype(np.float32)
_WEIGHTS = 1 << np.arange(63, dtype=np.uint64)


class NearGroup(NamedTuple):
    """Pictures that look alike, by the places of their rows, the first in the source first."""

    positions: list[int]
    #: How many there are, `positions` or not.
    count: int


class NearDuplicates(NamedTuple):
    """What was found among the pictures that were looked at."""

    pictures: int
    #: Those that look like one before them, and have other bytes.
    duplicates: int
    groups: int
    #: The largest groups, a bounded number.
    listed: list[NearGroup]


def hash_of(grey: NDArray[Any]) -> int | None:
    """The hash of a picture's grey (`HASHED_SIDE`, `HASHED_SIDE`); None for one that is blank."""
    pixels = grey.astype(np.float32)
    if float(pixels.std()) < _BLANK:
        return None
    waves = (_COSINES @ pixels @ _COSINES.T).ravel()[1:]  # the first is how light it is
    return int(_WEIGHTS[waves > np.median(waves)].sum())


def near_duplicates(
    pictures: NDArray[Any],
    *,
    groups: int,
    members: int,
    check: Callable[[], None] = lambda: None,
) -> NearDuplicates:
    """Groups of pictures (`PICTURE`) each of which looks like another of its group.

    At most `groups` are listed, of at most `members` each. Rows of equal keys are one picture.
    `check` is called now and then, and may raise.
    """
    ordered = pictures[np.argsort(pictures["position"], kind="stable")]
    _, first = np.unique(ordered["key"], return_index=True)
    alone = ordered[np.sort(first)]
    if not len(alone):
        return NearDuplicates(0, 0, 0, [])
    hashes, first, of_hash = np.unique(alone["hash"], return_index=True, return_inverse=True)
    # By the place of the first picture that has each: a group is led by its first picture.
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    leader = _leaders(hashes[order], check)[rank[of_hash]]
    sizes = np.bincount(leader, minlength=len(hashes))
    large = np.flatnonzero(sizes > 1)
    shown = sorted(large[np.argsort(-sizes[large], kind="stable")][:groups].tolist())
    by_leader = np.argsort(leader, kind="stable")
    begins = np.searchsorted(leader[by_leader], shown)
    listed = [
        NearGroup(
            alone["position"][by_leader[begin : begin + min(members, sizes[at])]].tolist(),
            int(sizes[at]),
        )
        for at, begin in zip(shown, begins, strict=True)
    ]
    listed.sort(key=lambda group: (-group.count, group.positions))
    return NearDuplicates(len(alone), int(sizes[large].sum()) - len(large), len(large), listed)


def _leaders(hashes: NDArray[np.uint64], check: Callable[[], None]) -> NDArray[np.int64]:
    """For each of some hashes the first to which steps of `MOST_BITS` lead."""
    nearest = np.arange(len(hashes))
    shift = 0
    for bits in _BANDS:
        band = (hashes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
        shift += bits
        by_band = np.argsort(band, kind="stable")
        _note_pairs(hashes[by_band], band[by_band], by_band, nearest, check)
    while True:  # each to the first of those that lead on
        further = nearest[nearest]
        if np.array_equal(further, nearest):
            return nearest
        nearest = further


def _note_pairs(
    hashes: NDArray[np.uint64],
    band: NDArray[np.uint64],
    places: NDArray[np.int64],
    nearest: NDArray[np.int64],
    check: Callable[[], None],
) -> None:
    """Note for each hash the first of its band that is near to it."""
    at = np.arange(len(hashes))
    step = 1
    while True:
        check()
        at = at[: np.searchsorted(at, len(hashes) - step)]
        at = at[band[at] == band[at + step]]
        if not len(at):
            return
        near = at[np.bitwise_count(hashes[at] ^ hashes[at + step]) <= MOST_BITS]
        # Stable order: the one before in the band is before in the source, too.
        np.minimum.at(nearest, places[near + step], places[near])
        step += 1


def noted(rows: Iterable[tuple[int, int, bytes]]) -> NDArray[Any]:
    """Pictures by the places of their rows, their hashes and their rows' keys."""
    told = [(place, value, int.from_bytes(key[:8], "little")) for place, value, key in rows]
    return np.array(told, PICTURE)
