"""What the header of a JPEG file says of its size (ITU-T T.81, annex B), at a glance.

Readers that know all formats take ten times as long, and are asked where this is not sure.
"""

from __future__ import annotations

from typing import NamedTuple

#: How a file begins: SOI, and the first byte of the next marker.
JPEG = b"\xff\xd8\xff"

#: Second bytes of markers: baseline, extended and progressive frames; a scan.
_FRAMES, _SCAN = frozenset((0xC0, 0xC1, 0xC2)), 0xDA

#: Of segments that say nothing of how a picture is shown: tables, restarts, JFIF, a comment.
_SILENT = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xFE))

#: What begins a segment at least; and what has none: restarts, the end, a byte that fills up.
_LEAST, _BARE = 0xC0, frozenset((*range(0xD0, 0xDA), 0xFF))

#: Samples of 8 bits, of one, three or four components: all that decoders here take.
_BITS, _COMPONENTS = b"\x08", (b"\x01", b"\x03", b"\x04")


class JpegHead(NamedTuple):
    """The frame of a JPEG file, as it is stored."""

    width: int
    height: int
    #: Whether nothing beside the frame may tell how it is shown, as EXIF does.
    is_plain: bool


def read_jpeg_head(file: bytes) -> JpegHead | None:
    """The head of a file, up to its first scan; None where anything is unusual."""
    at, frame, is_plain = 2, None, True
    while file[at : at + 1] == b"\xff":
        marker, size = file[at + 1 : at + 2], int.from_bytes(file[at + 2 : at + 4])
        if not marker or size < 2 or at + 2 + size > len(file):
            return None
        kind = marker[0]
        if kind == _SCAN:
            return frame and JpegHead(*frame, is_plain)
        if kind < _LEAST or kind in _BARE or (kind in _FRAMES and frame):
            return None
        if kind in _FRAMES:
            frame = _frame(file[at + 4 : at + 10])
        elif kind not in _SILENT:
            is_plain = False
        at += 2 + size
    return None


def _frame(segment: bytes) -> tuple[int, int] | None:
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    usual = segment[:1] == _BITS and segment[5:6] in _COMPONENTS
    return (width, height) if usual and width and height else None
