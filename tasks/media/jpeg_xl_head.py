"""What the head of a JPEG XL tells (ISO/IEC 18181-1, annex D), without a package of its own."""

from __future__ import annotations

from typing import NamedTuple

#: Boxes before the pixels, at most, that are looked at, and bytes of a head.
_BOXES, _HEAD = 64, 256

#: Width of height, by number.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))

#: Orientations, as EXIF has them, that swap width and height.
_ON_ITS_SIDE = (5, 6, 7, 8)


class JpegXlHead(NamedTuple):
    """A picture's size as it is shown, bits of a sample (0 for floats), and whether it moves."""

    size: tuple[int, int]
    bits: int
    moves: bool


def read_head(data: bytes) -> JpegXlHead:
    """The head of a codestream or of a file with one. Raises ValueError for what is none."""
    bits = _Bits(_codestream(data))
    width, height = _size(bits)
    orientation, depth, moves = 1, 8, False
    if not bits.take(1):  # not all as usual
        if bits.take(1):
            orientation = 1 + bits.take(3)
            if bits.take(1):
                _size(bits)  # as it would like to be shown
            if bits.take(1):
                _preview(bits)
            moves = bool(bits.take(1))
        if not moves:  # else how it moves would come first
            depth = 0 if bits.take(1) else bits.choose((8, 0), (10, 0), (12, 0), (1, 6))
    turned = orientation in _ON_ITS_SIDE
    return JpegXlHead((height, width) if turned else (width, height), depth, moves)


class _Bits:
    """Numbers of some bits, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._left, self._count = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits' number. Raises ValueError at the end."""
        if count > self._count:
            raise ValueError("the head is cut off")
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        self._count -= count
        return value

    def choose(self, *ways: tuple[int, int]) -> int:
        """Two bits choose of four ways: what is added to a number of how many bits."""
        start, count = ways[self.take(2)]
        return start + self.take(count)


def _codestream(data: bytes) -> bytes:
    if data.startswith(b"\xff\x0a"):
        return data[2 : 2 + _HEAD]
    at = 0
    for _ in range(_BOXES):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        start = at + 8
        if size == 1:  # a longer number follows
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # which part it is
            return data[start + 2 : start + 2 + _HEAD]
        if size < 8:
            break
        at += size
    raise ValueError("no codestream")


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    ways = ((1, 9), (1, 13), (1, 18), (1, 30))
    height = 8 * (1 + bits.take(5)) if small else bits.choose(*ways)
    ratio = bits.take(3)
    if ratio:
        over, under = _RATIOS[ratio - 1]
        return height * over // under, height
    return (8 * (1 + bits.take(5)) if small else bits.choose(*ways)), height


def _preview(bits: _Bits) -> None:
    small = ((16, 0), (32, 0), (1, 5), (33, 9)), ((1, 6), (65, 8), (321, 10), (1345, 12))
    ways = small[0] if bits.take(1) else small[1]
    bits.choose(*ways)
    if not bits.take(3):
        bits.choose(*ways)
