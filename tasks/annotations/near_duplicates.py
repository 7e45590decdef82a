"""Pictures that look alike: what is seen in each, and groups of those that hardly differ.

Two look alike if their hashes differ in few bits and their colours little. The hash has a bit for
each of the lowest 63 waves of the picture's grey (pHash, Zauner 2010), which another size, quality
or format hardly changes; colours are means of four by four cells, for drawings of few lines have
waves like each other's. Hashes that differ in four bits at most agree in one of five bands of
bits: only such are held against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Bits of the hash in which pictures may differ that look alike.
MOST_BITS = 4

#: Pixels of a side of the grey picture that is hashed, and waves each way.
HASHED_SIDE, _WAVES = 32, 8

#: Where pixels differ less, of 255, there is nothing to be seen: no hash tells such apart.
_LEAST_SPREAD, BLANK = 2.0, 1 << 63

#: Cells each way whose colours are kept, and how far each may differ, of 255.
CELLS, _MOST_COLOUR = 4, 16

#: What is noted of a picture: its row's place in the source, its hash, a part of its row's key, the
#: colours of its cells.
PICTURE = np.dtype(
    [("position", "<u8"), ("hash", "<u8"), ("key", "<u8"), ("colours", "u1", CELLS * CELLS * 3)]
)

#: Pictures of a band to which one is held: in a crowd of more, neighbours lead on.
_CROWD = 2048

#: Bits of each band.
_BANDS = (13, 13, 13, 13, 12)

_HEAD = struct.Struct("<QQ8s")

_angles = np.pi * np.outer(np.arange(_WAVES), 2 * np.arange(HASHED_SIDE) + 1) / (2 * HASHED_SIDE)
_COSINES = np.cos(_angles).astype(np.float32)
_WEIGHTS = 1 << np.arange(63, dtype=np.uint64)


#: Groups that are told, the largest, and pictures of each.
_GROUPS, _MEMBERS = 24, 6


@dataclass(frozen=True, slots=True)
class NearGroup:
    """Pictures that look alike, by the places of their rows, the first in the source first."""

    positions: list[int]
    #: How many there are, `positions` or not.
    count: int


class NearDuplicates(NamedTuple):
    """What was found among the pictures that were looked at."""

    pictures: int
    #: Those that look like one before them, and have other bytes.
    duplicates: int
    #: Those that show nothing: they are in no group.
    blank: int
    groups: int
    #: The largest groups, a bounded number.
    listed: list[NearGroup]


def hash_of(grey: NDArray[Any]) -> int:
    """The hash of a picture's grey (`HASHED_SIDE`, `HASHED_SIDE`); `BLANK` for one of nothing."""
    pixels = grey.astype(np.float32)
    if float(pixels.std()) < _LEAST_SPREAD:
        return BLANK
    waves = (_COSINES @ pixels @ _COSINES.T).ravel()[1:]  # the first is how light it is
    return int(_WEIGHTS[waves > np.median(waves)].sum())


def near_duplicates(
    pictures: NDArray[Any],
    *,
    groups: int = _GROUPS,
    members: int = _MEMBERS,
    check: Callable[[], None] = lambda: None,
) -> NearDuplicates:
    """Groups of pictures (`PICTURE`) each of which looks like another of its group.

    At most `groups` are listed, of at most `members` each. Rows of equal keys are one picture.
    `check` is called now and then, and may raise.
    """
    in_order = np.argsort(pictures["position"], kind="stable")
    _, first = np.unique(pictures["key"][in_order], return_index=True)
    different = in_order[np.sort(first)]
    seen = different[pictures["hash"][different] != BLANK]
    blank = len(different) - len(seen)
    if not len(seen):
        return NearDuplicates(blank, 0, blank, 0, [])
    alone = pictures[seen]
    leader = _leaders(alone, check)
    sizes = np.bincount(leader, minlength=len(alone))
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
    return NearDuplicates(
        len(different), int(sizes[large].sum()) - len(large), blank, len(large), listed
    )


def _leaders(pictures: NDArray[Any], check: Callable[[], None]) -> NDArray[np.int64]:
    """For each picture the first to which steps lead from one that looks alike to the next."""
    hashes = pictures["hash"]
    nearest = np.arange(len(pictures))
    shift = 0
    for bits in _BANDS:
        band = (hashes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
        shift += bits
        _note_pairs(pictures, band, np.lexsort((hashes, band)), nearest, check)
    while True:  # each to the first of those that lead on
        further = nearest[nearest]
        if np.array_equal(further, nearest):
            return nearest
        nearest = further


def _note_pairs(
    pictures: NDArray[Any],
    band: NDArray[np.uint64],
    order: NDArray[np.int64],
    nearest: NDArray[np.int64],
    check: Callable[[], None],
) -> None:
    """Note for each picture the first of its band that looks like it."""
    hashes, band = pictures["hash"][order], band[order]
    at = np.arange(len(order))
    for step in range(1, _CROWD):
        check()
        at = at[: np.searchsorted(at, len(order) - step)]
        at = at[band[at] == band[at + step]]
        if not len(at):
            return
        near = at[np.bitwise_count(hashes[at] ^ hashes[at + step]) <= MOST_BITS]
        one, other = order[near], order[near + step]
        alike = _are_of_a_colour(pictures["colours"], one, other)
        first, second = np.minimum(one, other)[alike], np.maximum(one, other)[alike]
        np.minimum.at(nearest, second, first)


def _are_of_a_colour(
    colours: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    apart = np.abs(colours[one].astype(np.int16) - colours[other])
    return np.asarray((apart <= _MOST_COLOUR).all(axis=1))


def near_view(found: NearDuplicates, ids: Mapping[int, str]) -> dict[str, Any]:
    """What was found as JSON, with the ids of the rows that are named."""
    return {
        "pictures": found.pictures,
        "duplicates": found.duplicates,
        "blank": found.blank,
        "groups": found.groups,
        "listed": [
            {
                "count": group.count,
                "rows": [{"index": at, "id": ids.get(at, "")} for at in group.positions],
            }
            for group in found.listed
        ],
    }


class SeenPicture(NamedTuple):
    """What is seen in a picture."""

    hash: int
    #: Red, green and blue of each of its cells, row by row.
    colours: bytes


class SeenPictures:
    """What was noted of pictures."""

    def __init__(self, told: bytes = b"") -> None:
        self._records = bytearray(told)

    def __len__(self) -> int:
        return len(self._records) // PICTURE.itemsize

    def note(self, position: int, look: SeenPicture, key: bytes) -> None:
        """Note a picture: the place of its row, what is seen in it, its row's key."""
        self._records += _HEAD.pack(position, look.hash, key[:8]) + look.colours

    def add(self, other: SeenPictures, moved: int = 0) -> None:
        """Note those of another part, whose rows are so many places further on than they say."""
        part = other.table.copy()
        part["position"] += moved
        self._records += part.tobytes()

    @property
    def table(self) -> NDArray[Any]:
        """As `near_duplicates` takes them."""
        return np.frombuffer(bytes(self._records), PICTURE)

    def __bytes__(self) -> bytes:
        return bytes(self._records)
