"""Run-length encodings of masks. numpy only.

The runs of a mask (H, W) read column by column, zeros first: a mask whose first pixel is set
begins with a run of 0. Two ways to write them as text: Instill's decimals, `2918,12,382`, and
COCO's compressed string, as pycocotools has it (`maskApi.c`, rleToString, after Lin et al. 2014),
five bits a character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...protocol.errors import InvalidRequest
from ..vision.images import MAX_PIXELS

#: Digits of one decimal run, at most: more than any image has.
_DECIMALS = re.compile(r"[0-9]{1,18}(?:,[0-9]{1,18})*", re.ASCII)

#: Characters of one compressed run, at most: 35 bits, a difference of two runs of 32.
_MAX_CHARACTERS = 7
#: The first character; 64 follow: five bits of value, and one that says that more come.
_FIRST, _MORE, _SIGN, _BITS = 48, 0x20, 0x10, 5

#: Rows that are turned into columns at a time.
_STRIP = 64


def counts(mask: NDArray[np.bool_]) -> list[int]:
    """The lengths of the runs, column by column, zeros first."""
    lengths: list[int] = _runs(mask).tolist()
    return lengths


def mask_of(counts: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) of runs. Raises InvalidRequest where they do not fill it."""
    try:
        lengths = np.asarray(counts, np.int64).reshape(-1)
    except (OverflowError, TypeError, ValueError):
        raise InvalidRequest("run lengths: expected a flat list of integers") from None
    return _filled(lengths, height, width)


def encode_decimal(mask: NDArray[np.bool_]) -> str:
    """The runs as Instill writes them: decimals with commas."""
    return ",".join(map(str, counts(mask)))


def decode_decimal(text: str, height: int, width: int) -> NDArray[np.bool_]:
    """The mask of runs that Instill wrote. Raises InvalidRequest."""
    if not _DECIMALS.fullmatch(text):
        raise InvalidRequest(
            f"run lengths {text[:40]!r}: expected decimals and commas alone, as in 2918,12,382"
        )
    return _filled(np.fromstring(text, np.int64, sep=","), height, width)


def encode_compressed(mask: NDArray[np.bool_]) -> str:
    """The runs as pycocotools writes them, its `counts` decoded to str."""
    values = _runs(mask)
    values[3:] -= values[1:-2].copy()
    lengths = np.ones(len(values), np.int64)
    for characters in range(1, _MAX_CHARACTERS):
        beyond = values >> (_BITS * characters - 1)
        lengths += (beyond != 0) & (beyond != -1)
    place = _places(lengths)
    value = np.repeat(values, lengths) >> (_BITS * place)
    more = place < np.repeat(lengths, lengths) - 1
    return ((value & 0x1F) + more * _MORE + _FIRST).astype(np.uint8).tobytes().decode("ascii")


def decode_compressed(text: str, height: int, width: int) -> NDArray[np.bool_]:
    """The mask of runs that pycocotools wrote. Raises InvalidRequest."""
    code = np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64) - _FIRST
    ends = np.flatnonzero(code & _MORE == 0)
    whole = code.size and code.min() >= 0 and code.max() < 64 and code[-1] & _MORE == 0
    lengths = np.diff(ends, prepend=-1)
    if not whole or lengths.max() > _MAX_CHARACTERS:
        raise InvalidRequest(f"run lengths {text[:40]!r}: no compressed string of COCO's")
    values = np.add.reduceat((code & 0x1F) << (_BITS * _places(lengths)), ends - lengths + 1)
    values -= np.where(code[ends] & _SIGN, 1 << (_BITS * lengths), 0)
    # From the fourth on each run is told by how it differs from the one before the last.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return _filled(values, height, width)


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    flat = _columns(np.asarray(mask, np.bool_))
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts_set = flat[:1].any()
    return np.diff(edges, prepend=[0, 0] if starts_set else [0], append=flat.size)


def _columns(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H * W,) column by column."""
    if mask.flags.f_contiguous:
        return mask.ravel(order="F")
    height, width = mask.shape
    flat = np.empty((width, height), np.bool_)
    # Strip by strip: to turn a large mask as a whole misses the cache at every pixel.
    for row in range(0, height, _STRIP):
        flat[:, row : row + _STRIP] = mask[row : row + _STRIP].T
    return flat.reshape(-1)


def _filled(lengths: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    if height < 0 or width < 0 or height * width > MAX_PIXELS:
        raise InvalidRequest(f"a mask of {height} x {width}: 0 to {MAX_PIXELS} pixels are allowed")
    # The bound of each keeps the sum from running over.
    if lengths.size and (lengths.min() < 0 or lengths.max() > MAX_PIXELS):
        raise InvalidRequest(f"run lengths: each has to be 0 to {MAX_PIXELS}")
    if lengths.sum() != height * width:
        raise InvalidRequest(
            f"run lengths: {lengths.sum()} pixels in all, but {height} x {width} = "
            f"{height * width} are to be filled"
        )
    flat = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    return flat.reshape((width, height)).T


def _places(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each character in its group: lengths 2, 3 -> 0 1 0 1 2."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)
