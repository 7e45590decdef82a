"""Label Studio's run lengths of brush strokes: those of thi.ng/rle-pack over RGBA bytes.

A stream of bits: the count of bytes (32), a value's bits - 1 (5), the bits - 1 of four sizes of
counts (4 each); then runs: 1, which size (2), count - 1, value (8). The picture goes row by row,
all four channels of a pixel 255 where the mask is set and 0 elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..values.rle import counts

_CHANNELS, _VALUE_BITS = 4, 8
_SIZES = np.array((3, 4, 8, 16))
#: Bytes of one run, at most.
_LONGEST = 1 << 16


def brush_rle(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of a mask (H, W)."""
    header = [(mask.size * _CHANNELS, 32), (_VALUE_BITS - 1, 5), *((s - 1, 4) for s in _SIZES)]
    values, widths = np.array(header, np.int64).T
    runs, run_widths = _runs(mask)
    bits = _bits(np.concatenate([values, runs]), np.concatenate([widths, run_widths]))
    packed: list[int] = np.packbits(bits).tolist()
    return packed


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The runs as numbers, and how many bits each takes."""
    lengths = np.array(counts(mask.T), np.int64) * _CHANNELS  # of columns turned: row by row
    colours = np.where(np.arange(lengths.size) % 2, 255, 0)
    pieces = -(-lengths // _LONGEST)
    colours = np.repeat(colours, pieces)
    left = np.repeat(lengths, pieces)
    place = np.arange(left.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    beyond = np.minimum(left - place * _LONGEST, _LONGEST) - 1
    which = np.searchsorted(1 << _SIZES, beyond, side="right")
    size = _SIZES[which]
    numbers = (((0b100 | which) << size | beyond) << _VALUE_BITS) | colours
    return numbers, 3 + size + _VALUE_BITS


def _bits(values: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The bits of each value, the highest first."""
    ends = np.cumsum(widths)
    shift = np.repeat(ends, widths) - 1 - np.arange(ends[-1])
    return (np.repeat(values, widths) >> shift & 1).astype(np.uint8)
